"""A network and services that misbehave: each deploy ends right, or says why, in bounded tries."""

import time

import pytest

from world import STATE

SITE = {"website/index.html": "i\n", "website/a.txt": "a\n", "website/b.txt": "b\n"}
CHANGE = {"website/index.html": "new i\n", "website/a.txt": "new a\n", "website/b.txt": None,
          "website/c.txt": "c\n"}
HTML = {"body": "<html><body><h1>503 Service Unavailable</h1></body></html>",
        "content_type": "text/html"}
ATTEMPTS = 5  # docs/aws.md
EVERY = ["GetObject", "GetDistribution", "claim", "PutObject", "DeleteObject",
         "CreateInvalidation", "commit"]


def when(operation, **more):
    """A rule's condition; the claim and the commit are the two writes of the state."""
    if operation in ("claim", "commit"):
        return {"operation": "PutObject", "path_contains": STATE,
                "nth": 1 + (operation == "commit"), **more}
    path = {"PutObject": "a.txt", "GetObject": STATE}.get(operation, "")
    return {"operation": operation, "path_contains": path, "nth": 1, **more}


def changed(world):
    """A site that is deployed and cached, and a commit that changes it."""
    world.repo.commit(SITE)
    world.run()
    world.warm()
    world.repo.commit(CHANGE)
    return world


def survives(world, *rules, most_more=6, **options):
    """A deploy of the change under these rules: all of them fired, and everything is right."""
    changed(world)
    world.cloud.rules(*rules)
    run = world.run(**options)
    assert run.verdict == "done"
    assert all(world.cloud.rule_counts().values()), "a rule that never fired proves nothing"
    world.cloud.clear_rules()
    world.check()
    state = world.state()
    assert state["deployed"]["commit"] == world.repo.head() and not state.get("journal")
    assert not state.get("lease") and world.cloud.uploads(world.bucket) == []
    assert len(run.requests) <= 9 + most_more, run.operations
    assert len(world.cloud.invalidations(world.distribution)) == 2, "asked for once a deploy"
    assert world.run().verdict == "nothing-to-do"
    return run


# --- errors that pass ------------------------------------------------------------------------


@pytest.mark.parametrize("operation", EVERY)
def test_slow_down(world, operation):
    survives(world, {"when": when(operation), "do": {"status": 503, "code": "SlowDown"}})


@pytest.mark.parametrize("operation", ["GetDistribution", "CreateInvalidation"])
def test_throttling(world, operation):
    survives(world, {"when": when(operation), "do": {"status": 400, "code": "ThrottlingException"}})


@pytest.mark.parametrize("operation", EVERY)
def test_server_error_with_html(world, operation):
    survives(world, {"when": when(operation, times=2), "do": {"status": 502, **HTML}})


@pytest.mark.parametrize("operation", EVERY)
def test_dropped_before(world, operation):
    survives(world, {"when": when(operation), "do": {"drop": "before"}})


@pytest.mark.parametrize("operation", EVERY)
def test_dropped_after(world, operation):
    """The work is done, and nobody was told."""
    survives(world, {"when": when(operation), "do": {"drop": "after"}})


@pytest.mark.parametrize("operation", EVERY)
def test_error_after_the_effect(world, operation):
    survives(world, {"when": when(operation), "do": {"after_effect_status": 500}})


@pytest.mark.parametrize("bytes_sent", [1, 20, 200, 420])
@pytest.mark.parametrize("operation", ["GetObject", "GetDistribution", "CreateInvalidation"])
def test_truncated(world, operation, bytes_sent):
    survives(world, {"when": when(operation), "do": {"truncate": bytes_sent}})


@pytest.mark.parametrize("operation", ["claim", "PutObject", "DeleteObject", "commit"])
def test_truncated_head(world, operation):
    survives(world, {"when": when(operation), "do": {"truncate": 20}})


@pytest.mark.parametrize("operation", EVERY)
def test_slow_drip(world, operation):
    """A byte every millisecond is slow, and not wrong: nothing is tried again."""
    survives(world, {"when": when(operation), "do": {"drip_ms": 1}}, most_more=0)


def test_everything_fails_once(world):
    survives(world, *({"when": when(operation), "do": do} for operation, do in zip(EVERY, [
        {"status": 500}, {"drop": "before"}, {"drop": "after"}, {"status": 503, "code": "SlowDown"},
        {"truncate": 9}, {"after_effect_status": 500}, {"drop": "after"}])), most_more=12)


def test_half_of_all_requests_are_dropped(world):
    """Every second one, for as long as it takes."""
    rules = [{"when": {"nth": n}, "do": {"drop": "before"}} for n in range(2, 14, 2)]
    changed(world)
    world.cloud.rules(*rules)
    assert world.run().verdict == "done"
    world.cloud.clear_rules()
    world.check()


def test_a_first_deploy_whose_answers_are_lost(world):
    """The very first claim and the probe that follows it."""
    world.repo.commit(SITE)
    state = {"operation": "PutObject", "path_contains": STATE}
    world.cloud.rules({"when": {**state, "nth": 1}, "do": {"drop": "after"}},
                      {"when": {**state, "nth": 3}, "do": {"drop": "after"}})
    assert world.run().verdict == "done"
    world.cloud.clear_rules()
    world.check()


@pytest.mark.parametrize("do", [{"drop": "after"}, {"after_effect_status": 503}, {"truncate": 30}])
def test_a_lost_answer_of_a_copy(world, do):
    world.arguments = []
    config = (f"sites:\n  s:\n    path: website\n    bucket: {world.bucket}\n"
              f"    distribution: {world.distribution}\n")
    world.repo.commit({**SITE, "crc.yml": config})
    world.run()
    world.repo.commit({"crc.yml": config + "    headers: [{match: a.txt, content-language: en}]\n"})
    world.cloud.rules({"when": {"operation": "CopyObject", "nth": 1}, "do": do})
    assert world.run().verdict == "done"
    world.check_bucket(headers={"a.txt": {"ContentLanguage": "en"}})


# --- invalidations ---------------------------------------------------------------------------


@pytest.mark.parametrize("do", [{"drop": "after"}, {"after_effect_status": 500}, {"truncate": 100}])
def test_a_lost_answer_of_an_invalidation(world, do):
    """The same reference again: accepted, and not a second invalidation."""
    run = survives(world, {"when": when("CreateInvalidation"), "do": do})
    step = next(s for s in run.of_type("step") if s["kind"] == "invalidate")
    latest = world.cloud.invalidations(world.distribution)[-1]
    assert step["invalidation"] == latest["id"] and latest["paths"] == step["paths"]


def test_a_lost_answer_where_references_are_refused(world):
    """As the live service has done: the invalidation is looked for instead."""
    run = survives(
        world, {"when": when("CreateInvalidation"), "do": {"drop": "after"}},
        {"when": {"operation": "CreateInvalidation", "nth": 2},
         "do": {"caller_reference": "InvalidArgument"}})
    assert "ListInvalidations" in run.operations
    step = next(s for s in run.of_type("step") if s["kind"] == "invalidate")
    assert step["invalidation"] == world.cloud.invalidations(world.distribution)[-1]["id"]


# --- errors that stay ------------------------------------------------------------------------


@pytest.mark.parametrize("operation", EVERY)
def test_a_service_that_stays_down(world, operation):
    """It gives up after five tries, and a later run ends what was begun."""
    changed(world)
    world.cloud.rules({"when": {**when(operation), "times": 1000}, "do": {"status": 500, **HTML}})
    run = world.run(status=4 if operation not in ("GetObject", "GetDistribution", "claim") else 1)
    assert "500" in run.err and "<html>" not in run.err
    [fired] = world.cloud.rule_counts().values()
    extra = operation in ("PutObject", "DeleteObject", "CreateInvalidation", "commit")
    assert ATTEMPTS <= fired <= ATTEMPTS * (1 + extra)
    world.cloud.clear_rules()
    run = world.run("--lock-timeout", 0) if operation != "commit" else None
    if operation == "commit":
        return  # its lease could not be given up either
    assert run.verdict == "done"
    world.check_bucket()
    assert world.cloud.stale(world.distribution) == []


def test_nobody_there(world):
    """Connections are refused: said within seconds, with the address."""
    world.repo.commit(SITE)
    started = time.monotonic()
    run = world.run(status=1, env=world.env(AWS_ENDPOINT_URL="http://127.0.0.1:9"))
    assert "127.0.0.1" in run.err and run.requests == []
    assert time.monotonic() - started < 60


def test_a_name_that_does_not_resolve(world):
    world.repo.commit(SITE)
    run = world.run(status=1, env=world.env(AWS_ENDPOINT_URL="http://nowhere.invalid"))
    assert "nowhere.invalid" in run.err


def test_not_an_aws_at_all(world):
    """Something answers 200 and HTML to everything: a captive portal."""
    world.repo.commit(SITE)
    world.cloud.rules({"when": {}, "do": {"status": 200, "body": "<html>Sign in</html>",
                                          "content_type": "text/html"}})
    run = world.run(status=1)
    world.cloud.clear_rules()
    assert world.cloud.objects(world.bucket) == {}
    assert "<html>" not in run.err


# --- regions and clocks ----------------------------------------------------------------------


@pytest.mark.parametrize("bucket_region,asked", [
    ("eu-west-1", "us-east-1"), ("us-east-1", "eu-west-1"), ("ap-east-1", "us-east-1"),
    ("eu-central-1", "eu-west-1"),
])
def test_another_region(bare_world, bucket_region, asked):
    """The bucket is elsewhere: learnt from the first answer, and right from then on."""
    world = bare_world
    world.make_site(region=bucket_region)
    world.repo.commit(SITE)
    run = world.run(env=world.env(AWS_REGION=asked, AWS_DEFAULT_REGION=asked))
    wrong = [r for r in run.requests if r["status"] in (301, 307, 400)]
    assert len(wrong) == 1, "asked in the wrong place once"
    found = world.cloud.client("s3", region=bucket_region)
    assert found.get_object(Bucket=world.bucket, Key="a.txt")["Body"].read() == b"a\n"
    world.repo.commit({"website/a.txt": "new\n"})
    run = world.run(env=world.env(AWS_REGION=asked, AWS_DEFAULT_REGION=asked))
    assert len(run.requests) == 7
    assert found.get_object(Bucket=world.bucket, Key="a.txt")["Body"].read() == b"new\n"


@pytest.mark.parametrize("offset", [3600, -3600, 86400 * 400, 20 * 60])
def test_a_clock_that_is_off(world, offset):
    """Ours or theirs: learnt from the first refusal."""
    changed(world)
    world.cloud.rules({"when": {}, "do": {"date_offset_s": offset}})
    run = world.run()
    world.cloud.clear_rules()
    refused = [r for r in run.requests if r["status"] == 403]
    assert 1 <= len(refused) <= 2, "both reads may be under way before either is answered"
    assert len(run.requests) <= 9 + 2
    world.check()


def test_a_clock_that_is_a_little_off(world):
    survives(world, {"when": {}, "do": {"date_offset_s": 240}}, most_more=0)


# --- what others do at the same time ---------------------------------------------------------


def test_a_store_without_conditions(world):
    """Said aloud; and it deploys all the same."""
    world.repo.commit(SITE)
    world.cloud.rules({"when": {"service": "s3"}, "do": {"ignore_conditions": True}})
    run = world.run_bare(*world.arguments)
    assert run.status == 0
    world.check_bucket()


def test_somebody_overwrites_while_we_deploy(world):
    """Git is the truth for the keys of the commit: looked at, and overwritten."""
    changed(world)
    world.cloud.rules({"when": when("PutObject"), "do": {"stall_s": 60}})
    seen = world.last_request()
    running = world.start(*world.arguments, "--json")
    world.cloud.wait_for_stalled()
    world.cloud.put_objects(world.bucket, {"a.txt": b"from somebody else"})
    world.cloud.release()
    run = world.complete(running.finish(), seen)
    assert run.status == 0, run
    world.cloud.clear_rules()
    world.check()


def test_two_deploys_at_once(world):
    """The second waits for the first, then finds that it is done."""
    changed(world)
    world.cloud.rules({"when": when("CreateInvalidation"), "do": {"stall_s": 60}})
    seen = world.last_request()
    first = world.start(*world.arguments, "--json")
    world.cloud.wait_for_stalled()
    second = world.start(*world.arguments, "--json")
    deadline = time.monotonic() + 30
    while not [r for r in world.cloud.requests(since=seen, operation="GetDistribution")][1:]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    world.cloud.release()
    assert first.finish().status == 0
    run = world.complete(second.finish(), seen)
    assert run.status == 0 and run.verdict == "nothing-to-do"
    assert "another deploy holds the site: waiting" in run.out + run.err
    world.check()


def test_a_claim_that_is_lost_is_not_committed(clock_world):
    """We were asleep for so long that somebody else took over: touch nothing more."""
    world = clock_world
    changed(world)
    world.cloud.rules({"when": when("CreateInvalidation"), "do": {"stall_s": 600}})
    asleep = world.start(*world.arguments, "--json")
    world.cloud.wait_for_stalled()
    world.cloud.advance(181, check_skew=False)
    world.repo.commit({"website/a.txt": "newer\n"})
    world.cloud.clear_rules()
    assert world.run().verdict == "done"
    state = world.state()
    world.cloud.release()
    run = asleep.finish()
    assert run.status == 5, run
    assert world.state() == state
    world.check_bucket()
    assert world.cloud.stale(world.distribution) == []
