"""Two deploys, each stopped at a request of its own, and let go in either order."""

import time

from fault.harness import HUNG_S, STALL_S
from fault.plans import deployed

READS = 3  # a deploy begins with the state and two distributions


def hold_in_place(cloud, nth):
    """The nth request from now on waits, and is carried out when it is released."""
    cloud.rules({"when": {"nth": nth}, "do": {"stall_s": STALL_S, "at": "before"}})


class Race:
    """The first is stopped before its ith request, then the second before its jth; then they are
    let go."""

    def __init__(self, world, first, second, i, j, one_lease=True):
        self.world, self.cloud, self.one_lease = world, world.cloud, one_lease
        self.processes, self.held = [], []
        for command, nth in ((first, i), (second, j)):
            blocked = self.blocked()
            hold_in_place(self.cloud, nth)
            process = world.start(*command)
            self.until(
                lambda: len(self.cloud.waiting()) > sum(self.held)
                or process.poll() is not None
                or blocked()
            )
            self.processes.append(process)
            self.held.append(len(self.cloud.waiting()) > sum(self.held))

    def blocked(self):
        """A question: does a process that runs from now on wait for the other one's lease?"""
        state, seen = self.world.state(), len(self.cloud.requests())
        if not self.one_lease or state is None or state["lease"] is None:
            return lambda: False
        return lambda: len(self.cloud.requests(seen, operation="GetDistribution")) >= READS - 1

    @staticmethod
    def until(true):
        deadline = time.monotonic() + HUNG_S
        while not true():
            assert time.monotonic() < deadline, "nothing happens"
            time.sleep(0.005)

    def go(self, order):
        """Lets go of one, and of the other when that has ended or waits for it. Returns both
        runs."""
        waiting = sorted(entry["id"] for entry in self.cloud.waiting())
        held = dict(zip((n for n in (0, 1) if self.held[n]), waiting))
        self.cloud.clear_rules()
        for number in order:
            if number in held:
                blocked = self.blocked()
                self.cloud.release(held[number])
                self.until(lambda: self.processes[number].poll() is not None or blocked())
        return [self.world.end(process) for process in self.processes]


def raced(history, base, first, second, last, may_end=(0,), release=True):
    """Both start where base is deployed; in the end `last` is, whose run says so. may_end: the
    other's exit status."""

    def check(cloud, case):
        i, j, order = case
        world = deployed(cloud, history, base, release)
        runs = Race(world, (first,), (second,), i, j).go(order)
        problems = world.problems(last)
        for commit, run in zip((first, second), runs):
            is_last = commit == last
            if run.status not in ((0,) if is_last else may_end):
                problems.append(f"{commit} ends with {run.status}")
            if is_last and run.verdict == "superseded":
                problems.append(f"{commit} is superseded")
        return problems and [*problems, *map(str, runs)]

    return check
