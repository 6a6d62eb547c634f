"""Fault rules: which requests go wrong, and how.

A rule is {"when": {...}, "do": {...}}. `nth` picks the k-th request that matches the rest, counted from installation;
`times` says how many requests from there on are hit (1 with `nth`, else every one).
"""
import asyncio
import itertools
import time

_WHEN = {"service", "operation", "method", "path_contains", "nth", "times"}
_DO = {"stall_s", "at", "status", "code", "message", "body", "content_type", "headers", "after_effect_status", "drop",
       "truncate", "drip_ms", "ignore_conditions", "date_offset_s", "caller_reference"}


class RuleError(ValueError):
    """A rule that would silently never fire is a test that proves nothing: refuse it."""


class Rule:
    def __init__(self, number, spec):
        if not isinstance(spec, dict) or set(spec) - {"when", "do"} or not all(isinstance(part, dict) for part in spec.values()):
            raise RuleError("a rule is {when, do}")
        self.when, self.do = spec.get("when", {}), spec.get("do", {})
        unknown = (set(self.when) - _WHEN) | (set(self.do) - _DO)
        if unknown or not self.do:
            raise RuleError(f"unknown or missing: {sorted(unknown) or 'do'}")
        if self.do.get("at", "before") not in ("before", "after") or self.do.get("drop", "before") not in ("before", "after"):
            raise RuleError("at and drop are before or after")
        self._check_types()
        self.number, self.seen, self.fired = number, 0, 0

    def _check_types(self):
        """A wrong type would otherwise show up in the middle of somebody's request."""
        kinds = {"nth": int, "times": int, "stall_s": (int, float), "status": int, "after_effect_status": int, "truncate": int,
                 "drip_ms": (int, float), "date_offset_s": (int, float), "headers": dict}
        for name, value in {**self.when, **self.do}.items():
            kind = kinds.get(name, bool if name == "ignore_conditions" else str)
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise RuleError(f"{name} has the wrong type")
            if isinstance(value, (int, float)) and value < 0 and name != "date_offset_s":
                raise RuleError(f"{name} is negative")
        for status in (self.do.get("status", 200), self.do.get("after_effect_status", 200)):
            if not 200 <= status <= 599:
                raise RuleError("a status is between 200 and 599")

    def hits(self, service, operation, method, target):
        when = self.when
        # Viewer requests are another network; only a rule that names them touches them.
        if when.get("service", "aws" if service == "edge" else service) != service:
            return False
        if when.get("operation", operation) != operation or when.get("method", method) != method:
            return False
        if when.get("path_contains", "") not in target:
            return False
        self.seen += 1
        first = when.get("nth", 1)
        times = when.get("times", 1 if "nth" in when else None)
        if self.seen < first or (times is not None and self.seen >= first + times):
            return False
        self.fired += 1
        return True


class Faults:
    def __init__(self):
        self._numbers = itertools.count(1)
        self.rules, self.waiting = [], {}

    def install(self, specs):
        rules = [Rule(next(self._numbers), spec) for spec in (specs if isinstance(specs, list) else [specs])]
        self.rules += rules
        return [rule.number for rule in rules]

    def clear(self):
        self.rules = []

    def pick(self, service, operation, method, target):
        """What to do with this request: the first rule that hits, else {}; every rule counts what it sees."""
        if not self.rules:
            return {}
        hits = [rule for rule in self.rules if rule.hits(service, operation, method, target)]
        return hits[0].do if hits else {}

    async def stall(self, seconds, about):
        """Hold this request until its time is up or somebody releases it."""
        number, released = next(self._numbers), asyncio.Event()
        self.waiting[number] = {"id": number, "since": time.monotonic(), "released": released, **about}
        try:
            await asyncio.wait_for(released.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        finally:
            del self.waiting[number]

    def release(self, number=None):
        chosen = [entry for key, entry in self.waiting.items() if number in (None, key)]
        for entry in chosen:
            entry["released"].set()
        return len(chosen)

    def list_waiting(self):
        return [{k: v for k, v in entry.items() if k != "released"} for entry in self.waiting.values()]
