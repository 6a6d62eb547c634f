"""What tests order: resources that fail, stacks that somebody else is updating, statuses that are simply there."""
from .cfn_kinds import Failed
from .cfn_operations import Somebody


class Script:
    def __init__(self, engine):
        self.engine, self.failures, self.findings = engine, [], []

    def maybe_fail(self, stack, resource, what, rolling_back):
        """Raise Failed if a rule says that this should go wrong."""
        for rule in self.failures:
            if rule["stack"] not in ("*", stack.name) or rule["resource"] not in ("*", resource.logical_id, resource.type):
                continue
            if rule["on"] != ("rollback" if rolling_back else what) and not (rule["on"] == "change" and not rolling_back and what != "delete"):
                continue
            if rule["times"] <= 0:
                continue
            rule["times"] -= 1
            raise Failed(rule["reason"])

    def control(self, body):
        """{"fail": {...}}, {"find": {...}}, {"busy": {...}}, {"status": {stack: status}}, {"clear": true}; answers with all stacks."""
        unknown = set(body) - {"fail", "find", "busy", "status", "clear"}
        if unknown:
            raise ValueError(f"unknown: {sorted(unknown)}")
        if body.get("clear"):
            self.failures, self.findings = [], []
        for rule in _list(body.get("fail")):
            self._add_failure(**rule)
        for rule in _list(body.get("find")):
            self._add_finding(**rule)
        for busy in _list(body.get("busy")):
            self._busy(**busy)
        for name, status in body.get("status", {}).items():
            stack = self._stack(name)
            stack.operation = None
            stack.turn(status, self.engine.clock.now())
        return {s.name: {"id": s.id, "status": s.status, "reason": s.reason, "region": s.region, "resources": {r.logical_id: r.physical_id for r in s.resources.values()}}
                for s in self.engine.live.values()}

    def _add_failure(self, stack="*", resource="*", reason="Internal Failure", times=1, on="change"):
        """`on`: create, update, delete, change (create or update), or rollback (anything on the way back)."""
        if on not in ("create", "update", "delete", "change", "rollback"):
            raise ValueError("on is create, update, delete, change or rollback")
        self.failures.append({"stack": stack, "resource": resource, "reason": reason, "times": int(times), "on": on})

    def _add_finding(self, stack="*", resource="", reason="Unsupported property [Colour]", path=""):
        """The next change set of the stack fails early validation."""
        self.findings.append({"stack": stack, "resource": resource, "reason": reason, "path": path or f"/Resources/{resource}/Properties"})

    def _busy(self, stack, polls=None, ms=None, then="UPDATE_COMPLETE"):
        found = self._stack(stack)
        polls = 3 if polls is None and ms is None else polls or 0
        self.engine.start(Somebody(self.engine, found, polls, ms, then))

    def _stack(self, name):
        found = [s for s in self.engine.live.values() if s.name == name]
        if not found:
            raise ValueError(f"no stack {name}")
        return found[0]


def _list(value):
    return [] if value is None else value if isinstance(value, list) else [value]
