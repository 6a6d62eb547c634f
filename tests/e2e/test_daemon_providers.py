"""What the daemon makes of each host's webhooks, signed here as the host signs them.

The payloads of tests/golden/webhooks were written for these tests after what each host
documents. Signing is Python's own hmac and base64; `daemon_provider_stdin` judges.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CRC_BUILD", ROOT / "build" / "asan"))
HELPER = BUILD / "tests" / "daemon_provider_stdin"
PAYLOADS = ROOT / "tests" / "golden" / "webhooks"

NOW = 1764000000
TOLERANCE = 300
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
SECRET = "correct horse: battery staple"
OTHER = "another site's secret"
WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()
WHSEC_OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()

A, B = "6b1f9a0c2d3e4f5061728394a5b6c7d8e9f00112", "c0ffee00aa11bb22cc33dd44ee55ff6677889900"
C, T = "1234567890abcdef1234567890abcdef12345678", "feedfacecafebeeffeedfacecafebeeffeedface"

# --- how hosts sign -----------------------------------------------------------------------


def digest(secret, body):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard(secret, body, now, delivery=DELIVERY):
    """Standard Webhooks: three headers."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{delivery}.{now}.".encode() + body, hashlib.sha256).digest()
    return [["webhook-id", delivery], ["webhook-timestamp", str(now)],
            ["webhook-signature", "v1," + base64.b64encode(mac).decode()]]


def github(secret, body, now):
    sha1 = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return [["X-Hub-Signature", f"sha1={sha1}"],
            ["X-Hub-Signature-256", f"sha256={digest(secret, body)}"]]


def gitea(name):
    """These hosts send the headers of those they come from, too."""
    def sign(secret, body, now):
        mac = digest(secret, body)
        others = [["X-Gitea-Signature", mac], ["X-Gogs-Signature", mac],
                  ["X-Hub-Signature-256", f"sha256={mac}"]]
        own = [f"X-{name}-Signature", mac]
        return [own] + [other for other in others if other[0] != own[0]]
    return sign


def bitbucket(secret, body, now):
    return [["X-Hub-Signature", f"sha256={digest(secret, body)}"]]


def gitlab_token(secret, body, now):
    return [["X-Gitlab-Token", secret]]


def gitlab_signed(secret, body, now):
    return standard(secret, body, now) + [["Idempotency-Key", DELIVERY]]


def basic(secret, body, now):
    return [["Authorization", "Basic " + base64.b64encode(f"hook:{secret}".encode()).decode()]]


def token(secret, body, now):
    return [["X-Api-Key", secret]]


@dataclasses.dataclass
class Host:
    provider: str
    sign: callable
    signature: str              # the header that authenticates
    event: str = ""             # the header that names the event
    delivery: str = ""          # the header that names the delivery; "": the body does
    secret: str = SECRET
    other: str = OTHER
    covers_body: bool = True
    is_hex: bool = False        # whose digits may be of either case
    timed: bool = False
    settings: dict = dataclasses.field(default_factory=dict)


HOSTS = {
    "github": Host("github", github, "X-Hub-Signature-256", "X-GitHub-Event", "X-GitHub-Delivery",
                   is_hex=True),
    "gitlab": Host("gitlab", gitlab_signed, "webhook-signature", "X-Gitlab-Event",
                   secret=WHSEC, other=WHSEC_OTHER, timed=True),
    "gitlab-token": Host("gitlab", gitlab_token, "X-Gitlab-Token", "X-Gitlab-Event",
                         "Idempotency-Key", covers_body=False),
    "gitea": Host("gitea", gitea("Gitea"), "X-Gitea-Signature", "X-Gitea-Event", "X-Gitea-Delivery",
                  is_hex=True),
    "forgejo": Host("forgejo", gitea("Forgejo"), "X-Forgejo-Signature", "X-Forgejo-Event",
                    "X-Forgejo-Delivery", is_hex=True),
    "gogs": Host("gogs", gitea("Gogs"), "X-Gogs-Signature", "X-Gogs-Event", "X-Gogs-Delivery",
                 is_hex=True),
    "bitbucket-cloud": Host("bitbucket-cloud", bitbucket, "X-Hub-Signature", "X-Event-Key",
                            "X-Request-UUID", is_hex=True),
    "bitbucket-server": Host("bitbucket-server", bitbucket, "X-Hub-Signature", "X-Event-Key",
                             "X-Request-Id", is_hex=True),
    "azure-devops": Host("azure-devops", basic, "Authorization", covers_body=False),
    "generic": Host("generic", standard, "webhook-signature", secret=WHSEC, other=WHSEC_OTHER,
                    timed=True),
    "generic-hmac": Host("generic", bitbucket, "X-Hub-Signature", delivery="webhook-id",
                         is_hex=True,
                         settings={"auth": "hmac-sha256", "header": "x-hub-signature"}),
    "generic-token": Host("generic", token, "X-Api-Key", delivery="webhook-id", covers_body=False,
                          settings={"auth": "token", "header": "X-Api-Key"}),
    "eventbridge": Host("generic", token, "X-Api-Key", covers_body=False, settings={
        "auth": "token", "header": "x-api-key", "ref": "/detail/referenceFullName",
        "before": "/detail/oldCommitId", "after": "/detail/commitId", "delivery": "/id"}),
}

# --- what is expected of each payload -----------------------------------------------------

UPDATE = [["refs/heads/main", A, B]]
CREATED = [["refs/heads/main", "", B]]
DELETED = [["refs/heads/main", B, ""]]
SEVERAL = [["refs/heads/old", C, ""], ["refs/heads/main", A, B], ["refs/tags/v1", "", T]]


@dataclasses.dataclass
class Case:
    host: str
    payload: str                # below PAYLOADS
    event: str                  # of the host's header
    kind: str
    changes: list = dataclasses.field(default_factory=list)
    tip: str = None             # where main went; "": away


def pushes(host, folder, event, other, tag=B):
    return [
        Case(host, f"{folder}/push", event, "changes", UPDATE, B),
        Case(host, f"{folder}/new-branch", event, "changes", CREATED, B),
        Case(host, f"{folder}/other-branch", event, "changes", [[f"refs/heads/{other}", A, B]]),
        Case(host, f"{folder}/delete", event, "changes", DELETED, ""),
        Case(host, f"{folder}/tag", event, "changes", [["refs/tags/main", "", tag]]),
    ]


CASES = (
    pushes("github", "github", "push", "feature/main")
    + [
        Case("github", "github/force-push", "push", "changes", [["refs/heads/main", B, A]], A),
        Case("github", "github/ping", "ping", "ping"),
        Case("github", "github/pull-request", "pull_request", "other"),
    ]
    + [case for host in ("gitlab", "gitlab-token")
       for case in pushes(host, "gitlab", "Push Hook", "mai", T)[:4] + [
           Case(host, "gitlab/tag", "Tag Push Hook", "changes", [["refs/tags/main", "", T]]),
           Case(host, "gitlab/tag-delete", "Tag Push Hook", "changes", [["refs/tags/main", T, ""]]),
           Case(host, "gitlab/merge-request", "Merge Request Hook", "other"),
           Case(host, "gitlab/system-push", "System Hook", "changes", UPDATE, B),
           Case(host, "gitlab/system-tag", "System Hook", "changes", [["refs/tags/main", "", T]]),
           Case(host, "gitlab/system-several", "System Hook", "changes", [
               ["refs/heads/main", A, B], ["refs/heads/new", "", C], ["refs/heads/old", B, ""],
               ["refs/tags/v1", "", T]], B),
           Case(host, "gitlab/system-other", "System Hook", "other")]]
    + [case for host in ("gitea", "forgejo", "gogs")
       for case in pushes(host, host, "push", "main2") + [
           Case(host, f"{host}/test", "push", "ping"),
           Case(host, f"{host}/issues", "issues", "other")]]
    + pushes("bitbucket-cloud", "bitbucket-cloud", "repo:push", "Main")
    + [
        Case("bitbucket-cloud", "bitbucket-cloud/several", "repo:push", "changes", [
            ["refs/heads/old", C, ""], ["refs/heads/main", A, B], ["refs/tags/v1", "", B],
            ["refs/heads/feature/x", "", C]], B),
        Case("bitbucket-cloud", "bitbucket-cloud/fork", "repo:fork", "other"),
    ]
    + pushes("bitbucket-server", "bitbucket-server", "repo:refs_changed", "release/main", T)
    + [
        Case("bitbucket-server", "bitbucket-server/several", "repo:refs_changed", "changes",
             SEVERAL, B),
        Case("bitbucket-server", "bitbucket-server/ping", "diagnostics:ping", "ping"),
        Case("bitbucket-server", "bitbucket-server/comment", "repo:comment:added", "other"),
    ]
    + pushes("azure-devops", "azure-devops", "", "users/main", T)
    + [
        Case("azure-devops", "azure-devops/several", "", "changes", SEVERAL, B),
        Case("azure-devops", "azure-devops/test", "", "ping"),
        Case("azure-devops", "azure-devops/build", "", "other"),
    ]
    + [case for host in ("generic", "generic-hmac", "generic-token")
       for case in pushes(host, "generic", "", "mainline", T) + [
           Case(host, "generic/several", "", "changes", SEVERAL, B)]]
    + [
        Case("eventbridge", "generic/eventbridge-updated", "", "changes", UPDATE, B),
        Case("eventbridge", "generic/eventbridge-created", "", "changes", CREATED, B),
    ]
)

# --- asking -------------------------------------------------------------------------------


def ask(jobs):
    done = subprocess.run([HELPER], input="".join(json.dumps(job) + "\n" for job in jobs),
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(jobs)
    return answers


def read(case):
    return (PAYLOADS / f"{case.payload}.json").read_bytes()


def job(case, *, body=None, secrets=None, signed_with=None, signed_at=NOW, headers=None):
    """A delivery as the host makes it; what is named differs from that."""
    host = HOSTS[case.host]
    sent = read(case) if body is None else body
    if headers is None:
        headers = host.sign(signed_with or host.secret, read(case), signed_at)
        if host.event:
            headers = headers + [[host.event, case.event]]
        if host.delivery:
            headers = headers + [[host.delivery, DELIVERY]]
    headers = [["Host", "deploy.example.com"], ["Content-Type", "application/json"]] + headers
    return {"provider": host.provider, "secrets": [host.secret] if secrets is None else secrets,
            "now": NOW, "headers": headers, "body": base64.b64encode(sent).decode(),
            "branch": "main", **host.settings}


def first(host):
    return next(case for case in CASES if case.host == host)


def is_refused(answer):
    return answer["auth"] != "" and "kind" not in answer


CASE_NAMES = [f"{case.host}-{case.payload.split('/')[1]}" for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_what_the_host_sends_is_read(case):
    [answer] = ask([job(case)])
    assert answer["check"] == "" and answer["auth"] == "" and answer["parse"] == ""
    assert answer["kind"] == case.kind
    assert answer["changes"] == case.changes
    assert answer["tip"] == case.tip
    body_id = json.loads(read(case) or "null").get("id") if "/" in case.payload else None
    assert answer["delivery"] == (DELIVERY if HOSTS[case.host].delivery or HOSTS[case.host].timed
                                  else body_id)


def test_every_payload_has_a_case():
    named = {case.payload for case in CASES} | {"generic/eventbridge-deleted"}
    assert named == {str(p.relative_to(PAYLOADS))[:-5] for p in PAYLOADS.glob("*/*.json")}


def test_a_deletion_that_names_no_commit_is_refused_aloud():
    """EventBridge's rule should not send it; a pointer that is wrong looks the same."""
    [answer] = ask([job(Case("eventbridge", "generic/eventbridge-deleted", "", ""))])
    assert answer["auth"] == "" and answer["parse"] == "the commit after: it is missing"


@pytest.mark.parametrize("name", HOSTS)
def test_secrets(name):
    host, case = HOSTS[name], first(name)
    jobs = {
        "rotation, new": job(case, secrets=[host.other, host.secret]),
        "rotation, old": job(case, secrets=[host.secret, host.other]),
        "another site's": job(case, secrets=[host.other]),
        "none": job(case, secrets=[]),
        "empty": job(case, secrets=[""]),
        "empty beside another's": job(case, secrets=["", host.other]),
        "signed with another's": job(case, signed_with=host.other),
    }
    answers = dict(zip(jobs, ask(list(jobs.values()))))
    assert [label for label in answers if not is_refused(answers[label])] == [
        "rotation, new", "rotation, old"]
    for label in ("none", "empty", "empty beside another's"):
        assert "secret" in answers[label]["check"]
    assert not any(host.secret in answer["auth"] for answer in answers.values())


@pytest.mark.parametrize("name", [n for n in HOSTS if not HOSTS[n].timed])
def test_an_empty_secret_never_signs(name):
    """A host whose hook has no secret sends nothing, or what an empty one gives."""
    case = first(name)
    forged = HOSTS[name].sign("", read(case), NOW) + [[HOSTS[name].event or "x", case.event]]
    for answer in ask([job(case, secrets=[""], headers=forged), job(case, headers=forged)]):
        assert is_refused(answer)


def flipped(data, bit):
    return data[:bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1:]


@pytest.mark.parametrize("name", [n for n in HOSTS if HOSTS[n].covers_body])
def test_one_bit_of_the_body(name):
    case = first(name)
    body = read(case)
    bits = sorted({0, len(body) * 8 - 1, *range(3, len(body) * 8, 61)})
    jobs = [job(case, body=flipped(body, bit)) for bit in bits]
    jobs += [job(case, body=body[:-1]), job(case, body=body + b"\n"), job(case, body=b"")]
    answers = ask(jobs)
    assert [i for i, answer in enumerate(answers) if not is_refused(answer)] == []


@pytest.mark.parametrize("name", HOSTS)
def test_one_bit_of_the_signature(name):
    case, host = first(name), HOSTS[name]
    headers = job(case)["headers"][2:]
    at, value = next((i, v) for i, (n, v) in enumerate(headers) if n == host.signature)
    digits = len("sha256=") if value.startswith("sha256=") else 0
    changed = [value[:-1], value + value[-1], "", " "]
    for i, char in enumerate(value):
        for other in (chr(ord(char) ^ 1 << bit) for bit in range(7)):
            spelled_alike = host.is_hex and i >= digits and other.lower() == char.lower()
            if other.isprintable() and not spelled_alike:
                changed.append(value[:i] + other + value[i + 1:])
    answers = ask([job(case, headers=headers[:at] + [[host.signature, bad]] + headers[at + 1:])
                   for bad in changed])
    let_in = [bad for bad, answer in zip(changed, answers) if not is_refused(answer)]
    if host.sign is basic:  # the user's name and the scheme's case are free
        let_in = [value for value in let_in if not same_password(value, SECRET)]
    assert let_in == []


def same_password(value, secret):
    scheme, _, pair = value.partition(" ")
    password = base64.b64decode(pair).partition(b":")[2]
    return scheme.lower() == "basic" and password == secret.encode()


@pytest.mark.parametrize("name", HOSTS)
def test_headers_that_come_twice_or_not_at_all(name):
    case, host = first(name), HOSTS[name]
    headers = job(case)["headers"][2:]
    signature = next(h for h in headers if h[0] == host.signature)
    answers = ask([
        job(case, headers=headers + [signature]),
        job(case, headers=[[host.signature.upper(), "v1,AAAA"]] + headers),
        job(case, headers=[h for h in headers if h[0] != host.signature]),
    ])
    assert [is_refused(answer) for answer in answers] == [True] * 3
    assert answers[0]["auth"].endswith("comes more than once")
    assert answers[2]["auth"].endswith("is missing")
    if host.event:
        [twice, none] = ask([job(case, headers=headers + [[host.event.lower(), "push"]]),
                             job(case, headers=[h for h in headers if h[0] != host.event])])
        assert twice["auth"] == "" and twice["parse"].endswith("comes more than once")
        assert none["auth"] == "" and none["parse"].endswith("is missing")


@pytest.mark.parametrize("name", [n for n in HOSTS if HOSTS[n].timed])
def test_timestamps(name):
    case = first(name)
    offsets = [-86400, -TOLERANCE - 1, -TOLERANCE, 0, TOLERANCE, TOLERANCE + 1, 86400]
    answers = ask([job(case, signed_at=NOW + offset) for offset in offsets])
    assert [offset for offset, answer in zip(offsets, answers) if not is_refused(answer)] == [
        -TOLERANCE, 0, TOLERANCE]


@pytest.mark.parametrize("name", [n for n in HOSTS if HOSTS[n].timed])
def test_several_signatures(name):
    """While a host changes its secret it signs with both."""
    case, host = first(name), HOSTS[name]
    headers = job(case)["headers"][2:]
    right = next(v for n, v in headers if n == "webhook-signature")
    wrong = standard(host.other, read(case), NOW)[2][1]

    def with_signature(value):
        others = [header for header in headers if header[0] != "webhook-signature"]
        return job(case, headers=others + [["webhook-signature", value]])

    good = [f"{wrong} {right}", f"{right} {wrong}", f"v1a,c29tZXRoaW5n {right}",
            f"{wrong}  {right} "]
    bad = [f"{wrong} {wrong}", right.replace("v1,", "v2,"), right.replace("v1,", "v1="),
           f"{wrong},{right}", right[3:]]
    answers = ask([with_signature(value) for value in good + bad])
    assert [is_refused(a) for a in answers] == [False] * len(good) + [True] * len(bad)


@pytest.mark.parametrize("name", ["github", "gitea", "forgejo", "gogs"])
def test_forms(name):
    """GitHub signs the form; Gitea and its relatives what is in it."""
    case, host = first(name), HOSTS[name]
    payload = read(case)
    form = urllib.parse.urlencode({"payload": payload}).encode()
    signed, other = (form, payload) if name == "github" else (payload, form)
    rest = [[host.event, case.event], [host.delivery, DELIVERY]]

    def delivery(signing, body=form):
        made = job(case, body=body, headers=host.sign(host.secret, signing, NOW) + rest)
        made["headers"][1] = ["Content-Type", "application/x-www-form-urlencoded"]
        return made

    good, wrong, twice = ask([delivery(signed), delivery(other),
                              delivery(signed, form + b"&payload=%7B%7D")])
    assert good["auth"] == "" and good["parse"] == "" and good["changes"] == case.changes
    assert is_refused(wrong) and is_refused(twice)


def test_sha1_alone_is_not_accepted():
    for name in ("github", "bitbucket-cloud", "bitbucket-server"):
        case = first(name)
        sha1 = hmac.new(SECRET.encode(), read(case), hashlib.sha1).hexdigest()
        headers = [["X-Hub-Signature", f"sha1={sha1}"], [HOSTS[name].event, case.event]]
        [answer] = ask([job(case, headers=headers)])
        assert is_refused(answer)


def test_gitlab_is_never_downgraded():
    """Who has read the secret as a token, or guesses it, cannot send it as one."""
    case = first("gitlab")
    event = [["X-Gitlab-Event", "Push Hook"]]
    tokens, both = [["X-Gitlab-Token", WHSEC]], [["X-Gitlab-Token", SECRET]]
    unsigned, forged, moving, moved, old = ask([
        job(case, headers=event + tokens),
        job(case, headers=event + tokens + standard(WHSEC_OTHER, read(case), NOW)),
        job(case, secrets=[WHSEC, SECRET], headers=event + both),
        job(case, secrets=[WHSEC, SECRET], headers=event + standard(WHSEC, read(case), NOW)),
        job(case, secrets=[WHSEC], headers=event + both),
    ])
    assert is_refused(unsigned) and "whsec_ secret is not compared" in unsigned["auth"]
    assert is_refused(forged) and is_refused(old)
    assert moving["auth"] == "" and moved["auth"] == ""


def test_a_provider_is_not_sniffed():
    """Gitea's deliveries carry GitHub's headers; the row decides all the same."""
    case = first("gitea")
    made = job(case)
    made["headers"] += [["X-GitHub-Event", "ping"], ["X-GitHub-Delivery", "other"]]
    [answer] = ask([made])
    assert answer["kind"] == "changes" and answer["delivery"] == DELIVERY
    made["headers"] = [h for h in made["headers"] if h[0] != "X-Gitea-Signature"]
    [answer] = ask([made])
    assert is_refused(answer)
