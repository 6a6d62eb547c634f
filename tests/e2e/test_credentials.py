"""Every way to credentials that crc goes, each to a real deploy; and what must not be shown."""

import json
import sys

import pytest

from runner import Log
from world import bare_env

SITE = {"website/index.html": "i\n", "website/a.txt": "a\n"}
ROLE = "arn:aws:iam::123456789012:role/deployer"
CANARY = "canary/of+the/tests+0123456789abcdef01234"


def plain_env(world, **extra):
    """The local cloud's address and region, and no credentials."""
    return bare_env(world.home, AWS_ENDPOINT_URL=world.cloud.endpoint, AWS_REGION="us-east-1",
                    AWS_EC2_METADATA_DISABLED="true", **extra)


def keys(world):
    return (f"aws_access_key_id = {world.cloud.access_key_id}\n"
            f"aws_secret_access_key = {world.cloud.secret_access_key}\n")


def profile_files(world, *, config="", credentials=""):
    folder = world.home / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(config)
    (folder / "credentials").write_text(credentials)


def deploys(world, env, *options):
    """A deploy that works, and says nothing that is a secret."""
    world.repo.commit(SITE)
    run = world.run(*options, env=env)
    world.check_bucket()
    shows_nothing(world, run)
    return run


def fails(world, env, *options, words=()):
    """Exit 3, with these words, and without a request to S3 that was signed with something else."""
    world.repo.commit(SITE)
    run = world.run(*options, env=env, status=3)
    for word in words:
        assert word in run.err, run
    assert world.cloud.objects(world.bucket) == {}
    shows_nothing(world, run)
    return run


def shows_nothing(world, run):
    for secret in (world.cloud.secret_access_key, CANARY, "FwoG"):
        assert secret not in run.out and secret not in run.err, run


def assume(world, **options):
    """Temporary keys, as another tool would have got them."""
    return world.cloud.client("sts").assume_role(
        RoleArn=ROLE, RoleSessionName="test", **options)["Credentials"]


def services(run):
    return [(r["service"], r["operation"]) for r in run.requests if r["service"] != "s3"
            and r["service"] != "cloudfront"]


# --- the environment -------------------------------------------------------------------------


def test_environment(world):
    assert services(deploys(world, world.env())) == []


def test_environment_with_session_token(world):
    made = assume(world)
    env = world.env(AWS_ACCESS_KEY_ID=made["AccessKeyId"], AWS_SESSION_TOKEN=made["SessionToken"],
                    AWS_SECRET_ACCESS_KEY=made["SecretAccessKey"])
    run = deploys(world, env)
    assert made["SecretAccessKey"] not in run.out + run.err
    env["AWS_SESSION_TOKEN"] = CANARY
    world.repo.commit({"website/a.txt": "new\n"})
    run = world.run(env=env, status=3)
    shows_nothing(world, run)


def test_environment_role(world):
    """Keys in the environment, and a role that they assume."""
    run = deploys(world, world.env(), "--role-to-assume", ROLE)
    assert services(run) == [("sts", "AssumeRole")]


def test_half_of_the_keys(world):
    fails(world, plain_env(world, AWS_ACCESS_KEY_ID="AKIACANARY"), words=["AWS_SECRET_ACCESS_KEY"])


def test_wrong_secret(world):
    run = fails(world, world.env(AWS_SECRET_ACCESS_KEY=CANARY), words=["SignatureDoesNotMatch"])
    assert len(run.requests) <= 4, "a wrong secret stays wrong"


def test_expired_keys(clock_world):
    world = clock_world
    made = assume(world, DurationSeconds=900)
    world.cloud.advance(901, check_skew=False)
    env = world.env(AWS_ACCESS_KEY_ID=made["AccessKeyId"], AWS_SESSION_TOKEN=made["SessionToken"],
                    AWS_SECRET_ACCESS_KEY=made["SecretAccessKey"])
    run = fails(world, env, words=["ExpiredToken"])
    assert len(run.requests) <= 4


def test_nothing_at_all(world):
    run = fails(world, plain_env(world),
                words=["no credentials", "role-to-assume", "AWS_ACCESS_KEY_ID"])
    assert run.requests == []


# --- profiles --------------------------------------------------------------------------------


def test_credentials_file(world):
    profile_files(world, credentials=f"[default]\n{keys(world)}")
    deploys(world, plain_env(world))


def test_named_profile(world):
    profile_files(world, credentials=f"[default]\naws_access_key_id = AKIAWRONG\n"
                  f"aws_secret_access_key = {CANARY}\n[site]\n{keys(world)}")
    deploys(world, plain_env(world, AWS_PROFILE="site"))


def test_config_file_with_region_and_endpoint(world):
    profile_files(world, config=f"[profile site]\n{keys(world)}region = us-east-1\n"
                  f"endpoint_url = {world.cloud.endpoint}\n")
    env = bare_env(world.home, AWS_PROFILE="site", AWS_EC2_METADATA_DISABLED="true")
    deploys(world, env)


def test_files_elsewhere(world):
    (world.folder / "my creds").write_text(f"[default]\n{keys(world)}")
    deploys(world, plain_env(world, AWS_SHARED_CREDENTIALS_FILE=str(world.folder / "my creds")))


def test_credential_process(world):
    answer = {"Version": 1, "AccessKeyId": world.cloud.access_key_id,
              "SecretAccessKey": world.cloud.secret_access_key}
    script = world.folder / "keys.py"
    script.write_text(f"print({json.dumps(answer)!r})")
    profile_files(world, config=f'[default]\ncredential_process = {sys.executable} "{script}"\n')
    deploys(world, plain_env(world))


@pytest.mark.parametrize("script,words", [
    ("raise SystemExit(3)", ["credential_process"]),
    (f"print('{CANARY}')", ["credential_process"]),
    (f"print('{{\"Version\": 1, \"SecretAccessKey\": \"{CANARY}\"}}')", ["credential_process"]),
    (f"print('{{\"Version\": 2, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"{CANARY}\"}}')",
     ["credential_process", "Version 1"]),
])
def test_credential_process_that_fails(world, script, words):
    (world.folder / "keys.py").write_text(script)
    profile_files(world, config="[default]\ncredential_process = "
                  f"{sys.executable} {world.folder / 'keys.py'}\n")
    fails(world, plain_env(world), words=words)


def test_source_profile(world):
    """A role of a profile, assumed with the keys of another, through a third."""
    profile_files(world, config=f"""\
[profile site]
role_arn = {ROLE}
source_profile = middle
role_session_name = the-session
external_id = 42
[profile middle]
role_arn = arn:aws:iam::123456789012:role/middle
source_profile = keys
[profile keys]
{keys(world)}""")
    run = deploys(world, plain_env(world, AWS_PROFILE="site"))
    assert services(run) == [("sts", "AssumeRole"), ("sts", "AssumeRole")]


@pytest.mark.parametrize("config,words", [
    (f"role_arn = {ROLE}\n", ["source_profile"]),
    (f"role_arn = {ROLE}\nsource_profile = nobody\n", ["nobody"]),
    (f"role_arn = {ROLE}\nsource_profile = site\n", ["site"]),
    (f"role_arn = {ROLE}\nsource_profile = a\n[profile a]\nrole_arn = {ROLE}\nsource_profile = b\n"
     f"[profile b]\nrole_arn = {ROLE}\nsource_profile = a\n", ["circle"]),
    (f"role_arn = {ROLE}\nmfa_serial = arn:x\nsource_profile = a\n", ["MFA"]),
    ("sso_start_url = https://example.com\n", ["aws configure export-credentials"]),
    ("aws_access_key_id = AKIACANARY\n", ["aws_secret_access_key"]),
])
def test_profiles_that_lead_nowhere(world, config, words):
    profile_files(world, config="[profile site]\n" + config)
    world.repo.commit(SITE)
    run = world.run(env=plain_env(world, AWS_PROFILE="site"), status=3)
    for word in words:
        assert word in run.err, run


def test_profile_that_is_not_there(world):
    profile_files(world, credentials=f"[default]\n{keys(world)}")
    run = fails(world, plain_env(world, AWS_PROFILE="sight"), words=['profile "sight"'])
    assert run.requests == []


def test_the_environment_comes_before_a_file(world):
    profile_files(world, credentials=f"[default]\naws_access_key_id = AKIAWRONG\n"
                  f"aws_secret_access_key = {CANARY}\n")
    env = world.env()
    del env["AWS_SHARED_CREDENTIALS_FILE"], env["AWS_CONFIG_FILE"]
    deploys(world, env)


# --- web identity ----------------------------------------------------------------------------


def token(world, audience="sts.amazonaws.com"):
    reply = world.cloud.raw("GET", f"/_cloud/oidc?audience={audience}",
                            {"Authorization": "bearer x"})
    return json.loads(reply.body)["value"]


def token_file(world, text):
    file = world.folder / "token"
    file.write_text(text)
    return str(file)


def test_web_identity_token_file(world):
    env = plain_env(world, AWS_ROLE_ARN=ROLE,
                    AWS_WEB_IDENTITY_TOKEN_FILE=token_file(world, token(world) + "\n"))
    run = deploys(world, env)
    assert services(run) == [("sts", "AssumeRoleWithWebIdentity")]


def test_web_identity_in_a_profile(world):
    profile_files(world, config=f"[default]\nrole_arn = {ROLE}\n"
                  f"web_identity_token_file = {token_file(world, token(world))}\n")
    deploys(world, plain_env(world))


@pytest.mark.parametrize("text,words", [
    ("not.a.token", ["InvalidIdentityToken", "aud sts.amazonaws.com"]),
    ("", ["holds no token"]), ("two\nlines", ["more than a token"]),
])
def test_web_identity_tokens_that_are_none(world, text, words):
    env = plain_env(world, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=token_file(world, text))
    run = fails(world, env, words=words)
    assert len(run.requests) <= 1


def test_web_identity_for_somebody_else(world):
    other = token(world, "somebody.example.com")
    env = plain_env(world, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=token_file(world, other))
    run = fails(world, env, words=["InvalidIdentityToken", ROLE])
    assert other not in run.err


def test_web_identity_that_has_expired(clock_world):
    world = clock_world
    env = plain_env(world, AWS_ROLE_ARN=ROLE,
                    AWS_WEB_IDENTITY_TOKEN_FILE=token_file(world, token(world)))
    world.cloud.advance(301)
    fails(world, env, words=["ExpiredToken"])


def test_web_identity_file_that_is_not_there(world):
    env = plain_env(world, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=str(world.home / "no"))
    assert fails(world, env, words=["web identity token", "No such file"]).requests == []


# --- the job's token -------------------------------------------------------------------------


def job_env(world, **extra):
    return plain_env(world, GITHUB_ACTIONS="true", GITHUB_RUN_ID="4711",
                     ACTIONS_ID_TOKEN_REQUEST_URL=world.cloud.oidc_url(),
                     ACTIONS_ID_TOKEN_REQUEST_TOKEN=CANARY, **extra)


def test_role_to_assume_with_the_jobs_token(world):
    """What the workflow of the manual does; every key is masked before anything is shown."""
    world.repo.commit(SITE)
    summary, output = world.folder / "summary", world.folder / "output"
    env = job_env(world, GITHUB_STEP_SUMMARY=str(summary), GITHUB_OUTPUT=str(output))
    seen = world.last_request()
    run = world.start(*world.arguments, "--role-to-assume", ROLE, "-v", env=env).finish()
    world.complete(run, seen)
    assert run.status == 0, run
    world.check_bucket()
    assert services(run) == [("oidc", "GetToken"), ("sts", "AssumeRoleWithWebIdentity")]
    assert run.requests[0]["path"].endswith("&audience=sts.amazonaws.com")
    log = Log(run.out, run.err)
    assert len(log.masks) == 4, "the token, and the three parts of the keys"
    for secret in (*log.masks, CANARY, "FwoG"):
        assert secret not in log.text
        assert secret not in summary.read_text() + output.read_text()
    assert CANARY not in run.out + run.err


def test_the_jobs_token_by_input(world):
    world.repo.commit(SITE)
    run = world.run(env=job_env(world, INPUT_ROLE_TO_ASSUME=ROLE))
    assert ("sts", "AssumeRoleWithWebIdentity") in services(run)


def test_a_job_without_the_permission(world):
    env = plain_env(world, GITHUB_ACTIONS="true", INPUT_ROLE_TO_ASSUME=ROLE)
    run = fails(world, env, words=["role-to-assume needs the job's token", "id-token: write"])
    assert run.requests == []


def test_a_role_that_is_not_allowed(world):
    """The message that most people meet first says what to look at."""
    world.cloud.rules({"when": {"operation": "AssumeRoleWithWebIdentity"}, "do": {
        "status": 403, "code": "AccessDenied",
        "message": "Not authorized to perform sts:AssumeRoleWithWebIdentity"}})
    world.repo.commit(SITE)
    run = world.run("--role-to-assume", ROLE, env=job_env(world), status=3)
    for word in (ROLE, "AccessDenied", "trust policy", "repo:ORG/REPO:ref:refs/heads/main",
                 "repo:ORG@ID/REPO@ID"):
        assert word in run.err, run


@pytest.mark.parametrize("do", [
    {"status": 500, "body": "<html>oops</html>", "content_type": "text/html"},
    {"status": 200, "body": "{}", "content_type": "application/json"},
])
def test_a_token_service_that_fails(world, do):
    """It is GitHub's; there a listener of ours answers."""
    import http.server
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Handler.asked += 1
            self.send_response(do["status"])
            self.send_header("Content-Length", str(len(do["body"])))
            self.end_headers()
            self.wfile.write(do["body"].encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        env = job_env(world)
        env["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"http://127.0.0.1:{server.server_port}/?x=1"
        world.repo.commit(SITE)
        run = world.run("--role-to-assume", ROLE, env=env, status=3)
        server.shutdown()
        thread.join()
    assert "GitHub's token service" in run.err and CANARY not in run.out + run.err
    assert Handler.asked == (3 if do["status"] == 500 else 1)


def test_keys_that_expire_in_the_middle(world):
    """They are fetched again, and the request that was refused is sent again."""
    world.repo.commit(SITE)
    world.cloud.rules({"when": {"operation": "PutObject", "path_contains": "a.txt", "nth": 1},
                       "do": {"status": 400, "code": "ExpiredToken"}})
    run = world.run("--role-to-assume", ROLE, env=job_env(world))
    world.check_bucket()
    assert services(run).count(("sts", "AssumeRoleWithWebIdentity")) == 2


# --- what is shown ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", [["-v"], ["-v", "--dry-run"], ["-v", "--audit"]])
def test_verbose_shows_no_secret(world, options):
    world.repo.commit(SITE)
    run = world.run_bare(*world.arguments, *options)
    assert run.status == 0 and "GetObject" in run.err
    shows_nothing(world, run)
    assert "Signature=" not in run.err and "Credential=" not in run.err
    assert world.cloud.access_key_id not in run.out + run.err


def test_the_state_holds_no_secret(world):
    world.repo.commit(SITE)
    world.run("--role-to-assume", ROLE, env=job_env(world))
    text = json.dumps(world.state())
    for secret in (world.cloud.secret_access_key, CANARY, "ASIA", "FwoG"):
        assert secret not in text
