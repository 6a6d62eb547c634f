"""--verify: the deploy has worked when the site's address serves the commit's bytes."""

SITE = {"website/index.html": "<h1>old</h1>\n", "website/a b+c%.txt": "text\n",
        "website/style.css": "p {}\n"}


def address(world):
    port = world.cloud.edge.rsplit(":", 1)[1]
    return f"http://{world.distribution.lower()}.cloudfront.localhost:{port}"


def looks(world, seen):
    """The paths that were asked for at the edge since then."""
    return sorted(r["path"] for r in world.cloud.requests(since=seen) if r["service"] == "edge")


def test_changed_paths_are_fetched(clock_world):
    world = clock_world
    world.repo.commit(SITE)
    seen = world.last_request()
    run = world.run("--verify", "--url", address(world))
    assert run.verdict == "done"
    assert looks(world, seen) == ["/a%20b%2Bc%25.txt", "/index.html", "/style.css"]
    world.warm()
    world.repo.commit({"website/index.html": "<h1>new</h1>\n"})
    seen = world.last_request()
    world.run("--verify", "--url", address(world) + "/")
    assert looks(world, seen) == ["/index.html"]


def test_it_waits_for_an_edge_that_is_late(clock_world):
    """An edge that goes on serving what it holds for a while after the invalidation."""
    world = clock_world
    world.repo.commit(SITE)
    world.run()
    world.warm()
    world.cloud.settings(invalidation_s=0, effect_s=2)
    world.repo.commit({"website/style.css": "p { color: red }\n"})
    seen = world.last_request()
    run = world.run("--verify", "--url", address(world))
    assert run.verdict == "done"
    assert len(looks(world, seen)) > 1 and set(looks(world, seen)) == {"/style.css"}


def test_nothing_changed_nothing_fetched(clock_world):
    world = clock_world
    world.repo.commit(SITE)
    world.run()
    seen = world.last_request()
    run = world.run("--verify", "--url", address(world))
    assert run.verdict == "nothing-to-do" and looks(world, seen) == []


def test_without_an_address_nothing_is_begun(world):
    world.repo.commit(SITE)
    run = world.run("--verify", status=2)
    assert run.requests == []
    assert "--verify fetches from the site's `url`: give --url, or `url:` in crc.yml" in run.err
