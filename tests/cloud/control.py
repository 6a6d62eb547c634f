"""The control plane under /_cloud/: what tests ask and change. No signature, JSON in and out."""
import asyncio
import json
from urllib.parse import parse_qs

from . import lambda_control
from .errors import AwsError
from .faults import RuleError
from .http11 import Response


class ControlError(Exception):
    pass


class Control:
    def __init__(self, cloud):
        self.cloud = cloud
        self._routes = {
            ("GET", "log"): self._log, ("POST", "reset-log"): self._reset_log, ("POST", "clock"): self._clock, ("GET", "clock"): self._clock,
            ("POST", "rules"): self._install, ("GET", "rules"): self._rules, ("DELETE", "rules"): self._clear, ("GET", "waiting"): self._waiting,
            ("POST", "release"): self._release, ("GET", "objects"): self._objects, ("GET", "uploads"): self._uploads, ("GET", "edge"): self._edge,
            ("GET", "stale"): self._stale, ("GET", "evicted"): self._evicted, ("POST", "edge/warm"): self._warm, ("POST", "edge/clear"): self._edge_clear,
            ("POST", "settings"): self._settings, ("GET", "invalidations"): self._invalidations, ("GET", "oidc"): self._oidc,
            ("POST", "functions"): self._functions, ("GET", "functions"): self._function, ("GET", "function-log"): self._function_log,
            ("GET", "function-code"): self._function_code,
            ("POST", "stacks"): self._stacks,
        }

    def handle(self, request):
        route = self._routes.get((request.method, request.path[len("/_cloud/"):].rstrip("/")))
        if route is None:
            return _json({"error": "no such control"}, 404)
        query = {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        try:
            body = json.loads(request.body) if request.body else {}
            result = route(query, body, request) if route == self._oidc else route(query, body)
        except (RuleError, ControlError, ValueError, TypeError, AttributeError, KeyError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        except AwsError as error:
            return _json({"error": error.code}, error.status)
        if asyncio.iscoroutine(result):
            return self._later(result)
        return result if isinstance(result, Response) else _json(result)

    def _log(self, query, body):
        return self.cloud.log.since(int(query.get("since", "0")))

    def _reset_log(self, query, body):
        self.cloud.log.reset()
        return {}

    def _clock(self, query, body):
        clock = self.cloud.clock
        clock.advance(float(body.get("advance_s", 0)))
        clock.check_skew = bool(body.get("check_skew", clock.check_skew))
        self.cloud.edge.settle()
        return {"now": clock.now(), "offset_s": clock.offset, "check_skew": clock.check_skew}

    def _install(self, query, body):
        return {"ids": self.cloud.faults.install(body)}

    def _rules(self, query, body):
        return [{"id": r.number, "when": r.when, "do": r.do, "seen": r.seen, "fired": r.fired} for r in self.cloud.faults.rules]

    def _clear(self, query, body):
        self.cloud.faults.clear()
        return {}

    def _waiting(self, query, body):
        return self.cloud.faults.list_waiting()

    def _release(self, query, body):
        return {"released": self.cloud.faults.release(body.get("id"))}

    def _objects(self, query, body):
        self.cloud.buckets.require(query["bucket"])
        objects = self.cloud.store.shelf(query["bucket"]).objects
        return {key: {"etag": o.etag, "size": len(o.data), "headers": dict(o.headers), "last_modified": o.modified} for key, o in objects.items()}

    def _uploads(self, query, body):
        self.cloud.buckets.require(query["bucket"])
        return [{"id": u.id, "key": u.key, "initiated": u.initiated, "parts": sorted(u.parts)} for u in self.cloud.store.uploads_of(query["bucket"])]

    def _edge(self, query, body):
        return self.cloud.edge.entries(query.get("distribution"))

    def _stale(self, query, body):
        return self.cloud.edge.stale(query.get("distribution"))

    def _evicted(self, query, body):
        return self.cloud.edge.evictions

    def _warm(self, query, body):
        return self.cloud.edge.warm(body.get("distribution"), body.get("paths"))

    def _edge_clear(self, query, body):
        self.cloud.edge.clear()
        return {}

    def _settings(self, query, body):
        """Seconds until an invalidation is Completed, and until the edge obeys it; how long stacks and change sets take."""
        unknown = set(body) - {"invalidation_s", "effect_s", "stack_ms", "set_ms", "stack_polls", "early_validation"}
        if unknown:
            raise ControlError(f"unknown settings {sorted(unknown)}")
        invalidations = self.cloud.cloudfront.invalidations
        invalidations.seconds_to_complete = float(body.get("invalidation_s", invalidations.seconds_to_complete))
        invalidations.seconds_to_effect = float(body.get("effect_s", invalidations.seconds_to_effect))
        pace = self.cloud.cloudformation.engine.pace
        pace.stack_ms, pace.set_ms = float(body.get("stack_ms", pace.stack_ms)), float(body.get("set_ms", pace.set_ms))
        pace.polls, pace.early = int(body.get("stack_polls", pace.polls)), bool(body.get("early_validation", pace.early))
        return {"invalidation_s": invalidations.seconds_to_complete, "effect_s": invalidations.seconds_to_effect,
                "stack_ms": pace.stack_ms, "set_ms": pace.set_ms, "stack_polls": pace.polls, "early_validation": pace.early}

    @staticmethod
    async def _later(result):
        """A control that another thread answers."""
        try:
            return _json(await result)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _stacks(self, query, body):
        return self.cloud.cloudformation.control(body)

    def _invalidations(self, query, body):
        found = self.cloud.cloudfront.find(query["distribution"])
        return [{"id": i.id, "reference": i.reference, "paths": i.paths, "created": i.created} for i in found.invalidations.values()]

    def _oidc(self, query, body, request):
        """The token endpoint of a runner: any bearer gets a token, no bearer gets none."""
        if not request.headers.get("authorization", "").lower().startswith("bearer "):
            return _json({"message": "Unauthorized"}, 401)
        return {"value": self.cloud.oidc.issue(query.get("audience", "https://github.com/example"), query.get("subject", "repo:example/site:ref:refs/heads/main"))}

    # Lambda

    def _functions(self, query, body):
        return lambda_control.change(self.cloud.functions, body)

    def _function(self, query, body):
        return lambda_control.describe(self.cloud.functions, self.cloud.runtime, query["name"], query.get("region", "us-east-1"))

    def _function_code(self, query, body):
        return lambda_control.code(self.cloud.functions, query["name"], query.get("region", "us-east-1"))

    def _function_log(self, query, body):
        return {"log": self.cloud.runtime.logs.get(query["name"], "")}


def _json(value, status=200):
    return Response(status, [("Content-Type", "application/json")], (json.dumps(value) + "\n").encode())
