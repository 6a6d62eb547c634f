"""Our signer and botocore's sign the same requests alike.

The requests are generated with a fixed seed, so that a failure can be run again. Every
printable ASCII character is also tried alone, in each place where a request can hold one.
"""

import datetime
import hashlib
import json
import os
import pathlib
import random
import string
import subprocess
import urllib.parse

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CRC_BUILD", ROOT / "build" / "asan"))
HELPER = BUILD / "tests" / "sign_stdin"

SEED = 20260401
PRINTABLE = [chr(c) for c in range(0x20, 0x7F)]
PIECES = PRINTABLE + [
    "/", "//", "/./", "/../", "..", "%2F", "%2f", "%25", "%", "+", "=", "&", "é", "ß", "日本",
    "\U0001f680", "e\u0301", "index.html", "assets", "résumé.pdf",
]
SERVICES = {
    "cloudfront": "cloudfront.amazonaws.com",
    "sts": "sts.eu-west-1.amazonaws.com",
    "lambda": "lambda.us-east-2.amazonaws.com:8443",
    "cloudformation": "cloudformation.us-east-1.amazonaws.com",
}


def job_base(rng, service, host):
    """A request without path, query and headers."""
    payload = rng.choice([b"", b"x", bytes(rng.randrange(256) for _ in range(40))])
    return {
        "style": "s3" if service == "s3" else "general",
        "method": rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]),
        "host": host,
        "path": "/",
        "query": [],
        "headers": [],
        "payload_hash": hashlib.sha256(payload).hexdigest(),
        "payload": payload,
        "access_key": "AKIDEXAMPLE",
        "secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "token": rng.choice(["", "", "FwoGZXIvYXdzEBY/+=token"]),
        "service": service,
        "region": rng.choice(["us-east-1", "eu-central-1", "us-gov-west-1"]),
        "time": rng.choice([0, 951782400, 1709164800, 1767225599, rng.randrange(4 * 10**9)]),
    }


def words(rng, most):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(0, most)))


def header_value(rng):
    """Printable, with inner runs of spaces, maybe with UTF-8."""
    return "".join(rng.choice(PRINTABLE + ["  ", "   ", "\t", "é", ""]) for _ in range(12))


def random_query(rng, repeat):
    pairs = [[words(rng, 3) or "k", rng.choice(["", words(rng, 4)])] for _ in range(rng.randint(0, 6))]
    pairs += rng.choice([[], [["uploads", ""]], [["k", "1"], ["k-", "1"], ["k.", ""], ["k=", "="]]])
    if repeat and pairs:
        pairs += [[rng.choice(pairs)[0], words(rng, 2)] for _ in range(rng.randint(0, 3))]
    rng.shuffle(pairs)
    return pairs if repeat else [list(pair) for pair in dict(pairs).items()]


def random_headers(rng):
    names = ["Content-Type", "Cache-Control", "x-amz-meta-B", "X-Amz-Meta-a", "If-Match", "Expect",
             "Connection", "User-Agent", "TE", "x-amz-copy-source", "Content-MD5x"]
    headers = [[name, header_value(rng)] for name in rng.sample(names, rng.randint(0, 6))]
    if rng.random() < 0.3:
        headers += [["X-Amz-Meta-List", value] for value in ("b  c", " a ", "", "b")]
    return headers


def generated():
    rng = random.Random(SEED)
    jobs = []
    for i in range(600):
        service = "s3" if i % 2 == 0 else rng.choice(sorted(SERVICES))
        job = job_base(rng, service, SERVICES.get(service, "bucket.s3.amazonaws.com"))
        job["path"] = "/" + words(rng, 10)
        presigned = i % 3 == 0
        # botocore reads a presigned request's query into a dictionary.
        job["query"] = random_query(rng, repeat=not presigned)
        job["headers"] = random_headers(rng)
        if presigned:
            job["expires"] = rng.choice([1, 3600, 604800])
        jobs.append(job)
    return jobs


def alone():
    """Each printable character by itself, in each place."""
    rng = random.Random(SEED)
    jobs = []
    for service, host in [("s3", "s3.us-east-1.amazonaws.com"), ("lambda", "lambda.amazonaws.com")]:
        for c in PRINTABLE:
            places = [{"path": "/" + c}, {"path": "/a" + c + "b/"}, {"query": [[c, "v"]]},
                      {"query": [["n", c]]}, {"query": [["n", c], ["n", ""], [c, c]]},
                      {"headers": [["x-amz-meta-a", c]]},
                      {"headers": [["x-amz-meta-a", "a" + c + c + "b"]]}]
            jobs += [job_base(rng, service, host) | place for place in places]
    return jobs


# --- botocore's side ---------------------------------------------------------------------


def theirs(job, monkeypatch):
    """What botocore makes of the job: (encoded path, canonical request, signature)."""
    now = datetime.datetime.fromtimestamp(job["time"], datetime.timezone.utc)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now.replace(tzinfo=None))
    path = urllib.parse.quote(job["path"], safe="/~")
    request = AWSRequest(method=job["method"], url=f"https://{job['host']}{path}", data=job["payload"])
    for name, value in job["headers"]:
        request.headers.add_header(name, value)
    credentials = Credentials(job["access_key"], job["secret_key"], job["token"] or None)
    arguments = [credentials, job["service"], job["region"]]
    s3 = job["style"] == "s3"
    if "expires" in job:
        request.params = dict(job["query"])
        # A body would be taken for form fields; the payload hash is that of no body.
        request.data = b""
        kind = botocore.auth.S3SigV4QueryAuth if s3 else botocore.auth.SigV4QueryAuth
        signer = kind(*arguments, expires=job["expires"])
        signer.add_auth(request)
        query = urllib.parse.urlsplit(request.url).query
        return path, None, dict(urllib.parse.parse_qsl(query))["X-Amz-Signature"]
    request.params = [tuple(pair) for pair in job["query"]]
    # The other form of a query is a string that is encoded already.
    if not request.params:
        request.params = {}
    kind = botocore.auth.S3SigV4Auth if s3 else botocore.auth.SigV4Auth
    signer = kind(*arguments)
    signer.add_auth(request)
    authorization = request.headers["Authorization"]
    del request.headers["Authorization"]
    return path, signer.canonical_request(request), authorization


# --- ours --------------------------------------------------------------------------------


def ours(jobs):
    lines = []
    for job in jobs:
        line = {name: value for name, value in job.items() if name != "payload"}
        if "expires" in job:
            line["payload_hash"] = (
                "UNSIGNED-PAYLOAD" if job["style"] == "s3" else hashlib.sha256(b"").hexdigest()
            )
        lines.append(json.dumps(line))
    done = subprocess.run([HELPER], input="\n".join(lines) + "\n", capture_output=True, text=True,
                          check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(jobs)
    return answers


def check(jobs, monkeypatch):
    for job, answer in zip(jobs, ours(jobs)):
        path, canonical, signature = theirs(job, monkeypatch)
        assert answer["path"] == path, job
        if "expires" in job:
            query = dict(urllib.parse.parse_qsl(answer["query"], keep_blank_values=True))
            assert query["X-Amz-Signature"] == signature, job
            assert [query[name] for name, _ in job["query"]] == [value for _, value in job["query"]]
            continue
        assert answer["canonical"] == canonical, job
        assert answer["authorization"] == signature, job


@pytest.fixture(autouse=True)
def built():
    if not HELPER.exists():
        pytest.fail(f"{HELPER} is not built; CRC_BUILD names the build folder")


def test_generated_requests_agree(monkeypatch):
    jobs = generated()
    assert len(jobs) >= 500
    text = json.dumps([[job["path"], job["query"]] for job in jobs], ensure_ascii=False)
    for piece in ["//", "..", "%2F", "é", *string.ascii_letters]:
        assert piece in text
    assert any(len({name for name, _ in job["query"]}) < len(job["query"]) for job in jobs)
    check(jobs, monkeypatch)


def test_every_printable_character_agrees(monkeypatch):
    check(alone(), monkeypatch)


def test_a_changed_request_has_another_signature(monkeypatch):
    """The comparison above can fail."""
    jobs = alone()[:1]
    _, _, signature = theirs(jobs[0], monkeypatch)
    jobs[0]["time"] += 1
    assert ours(jobs)[0]["authorization"] != signature
