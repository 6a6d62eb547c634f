"""What tests do to functions: `POST /_cloud/functions`."""
import base64

from .lambda_store import configuration, facts_of

_KNOWN = {"name", "region", "polls", "ms", "busy", "busy_ms", "fail_next", "fail_code", "replace", "after", "nth"}


def change(functions, body):
    """Apply one change; without a name, `polls` and `ms` are for all functions. Answers what the function is now."""
    unknown = set(body) - _KNOWN
    if unknown:
        raise ValueError(f"unknown {sorted(unknown)}")
    if "name" not in body:
        _set_duration(functions, body)
        return {"polls": functions.looks, "ms": functions.ms}
    fn = functions.latest(body.get("region", "us-east-1"), body["name"])
    facts = facts_of(fn)
    _set_duration(facts, body)
    if "busy" in body or "busy_ms" in body:
        functions.begin(fn, None, body.get("busy"), body.get("busy_ms"))
    if "fail_next" in body:
        facts.failure = (body["fail_next"], body.get("fail_code", "InternalError"))
    if "replace" in body and "after" in body:
        facts.intruders.append([body["after"], int(body.get("nth", 1)), dict(body["replace"])])
    elif "replace" in body:
        functions.replace(fn, dict(body["replace"]))
    return {"configuration": configuration(fn)}


def _set_duration(target, body):
    """One of polls and ms; the other no longer counts."""
    if "polls" in body:
        target.looks, target.ms = int(body["polls"]), None
    if "ms" in body:
        target.looks, target.ms = None, float(body["ms"])


def describe(functions, runtime, name, region):
    """Without counting as a look: the configuration, and what invocations would run now."""
    fn = functions.latest(region, name)
    arn = functions.arn(region, fn.function_name)
    return {"configuration": configuration(fn), "running_sha256": functions.running(fn).sha256, "starts": runtime.starts,
            "processes": sorted(c.process.pid for c in runtime._children if c.arn == arn and c.process is not None)}


def code(functions, name, region):
    """The archive as it was sent, which AWS gives out by a link."""
    return {"zip": base64.b64encode(functions.latest(region, name).code_bytes).decode()}
