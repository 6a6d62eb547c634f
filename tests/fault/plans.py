"""What the sweeps have in common: where a deploy can be cut, how a world begins, and what must be
true in the end."""

from fault.harness import World

# The request of a second deploy that writes the journal: before it come the state and two
# distributions.
CLAIM = 4
ROLLBACK = ("A", "--allow-rollback")


def deployed(cloud, history, commit, release=True):
    """A world in which a commit (None: nothing) is deployed, and every edge holds it."""
    world = World(cloud, history, release)
    if commit is not None:
        ended = world.run(commit)
        assert ended.status == 0, ended
    world.warm()
    return world


def count_requests(clouds, history, base, commit, died=None):
    """How many requests a deploy makes; died: when an earlier deploy of the same commit died at
    this moment."""
    cloud = clouds.take()
    try:
        world = deployed(cloud, history, base)
        if died:
            world.dies(commit, *died)
        before = len(cloud.requests())
        ended = world.run(commit)
        assert ended.status == 0, ended
        made = len(cloud.requests()) - before
        assert world.problems(commit) == []
        assert base is None or died or evicts_everything(ended) or not world.in_vain()
        return made
    finally:
        clouds.give_back(cloud)


def moments(count):
    """Before and after the effect of each request."""
    return [(nth, at) for nth in range(1, count + 1) for at in ("before", "after")]


def evicts_everything(run):
    """Whether the plan has announced that all goes from some edge."""
    return any("everything" in s for s in run.plan["steps"] if s["kind"] == "invalidate")


def finish(world, names, then, *arguments):
    """The edges look at the ruins, the lease dies, one run: what is wrong after it. `names` are the
    commits that were under way, or None: only what differs between them may be evicted."""
    world.warm()
    world.lease_dies()
    seen = len(world.cloud.evicted())
    ended = world.run(then, *arguments)
    if ended.status != 0 or ended.verdict == "superseded":
        return [f"the next run: {ended}"]
    problems = world.problems(then)
    if problems:
        return problems + [str(ended)]
    vain = world.in_vain(seen) - set(world.history.viewer_paths(names))
    if names and vain and not evicts_everything(ended):
        return [f"evicted in vain: {sorted(vain)}", str(ended)]
    return []


# Checks for Clouds.sweep: functions of a cloud and a case, which return what is wrong.


def killed_once(history, base, options, release=True):
    """Case: a moment, and a deploy. Deploys base, kills B at the moment, lets the edges look at
    what is there, and makes the deploy."""

    def check(cloud, case):
        moment, (then, *arguments) = case
        world = deployed(cloud, history, base, release)
        cut = world.kill("B", *moment, *options)
        if not cut.cut:
            return [f"the program ended before its request {moment}: {cut}"]
        return finish(world, {base, "B", then} - {None}, then, *arguments)

    return check


def killed_twice(history, release=True):
    """Case: a moment of B, a moment of a deploy that takes over, that deploy, and the one that
    finishes."""

    def check(cloud, case):
        first, second, (middle, *options), (then, *arguments) = case
        world = deployed(cloud, history, "A", release)
        if not world.kill("B", *first).cut:
            return ["the first ended"]
        world.warm()
        world.lease_dies()
        ended = world.kill(middle, *second, *options)
        if not ended.cut and ended.status:
            return [f"not cut, and {ended}"]
        return finish(world, {"A", "B", middle, then}, then, *arguments)

    return check


def cancelled(history, base, number, *options, claim=CLAIM, release=True):
    """Case: a moment. Deploys base, signals B at the moment, and deploys "part" without waiting for
    any lease."""

    def check(cloud, moment):
        world = deployed(cloud, history, base, release)
        cut = world.cut("B", *moment, number, *options)
        if not cut.cut or cut.status != 4 or "cancelled" not in cut.err:
            return [f"expected exit 4, cancelled: {cut}"]
        problems = _given_up(world, claim, *moment)
        world.warm()
        ended = world.run("part", "--lock-timeout", "0")
        if ended.status != 0:
            return [*problems, f"the next run: {ended}", str(cut)]
        return problems + world.problems("part")

    return check


def _given_up(world, claim, nth, at):
    """What is wrong with the state that a cancelled deploy of B leaves behind."""
    if nth < claim or (nth == claim and at == "before"):
        return []
    state = world.state()
    problems = [f"the lease is kept: {state['lease']}"] if state["lease"] else []
    if (state["deployed"] or {}).get("commit") == world.history["B"].sha:
        return problems + world.problems("B")  # it was through
    return problems + ([] if state["journal"] else ["the journal is gone"])
