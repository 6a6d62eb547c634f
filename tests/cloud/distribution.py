"""A distribution as the edge needs it, read from the configuration that was sent. The whole XML is kept."""
from dataclasses import dataclass, field

from . import xmlio
from .cloudfront_paths import match_behavior

DEFAULT_ERROR_TTL = 10


@dataclass
class Origin:
    id: str
    domain: str
    path: str
    access_control: str = ""
    headers: tuple = ()            # custom ones, (name, value)


@dataclass
class Behavior:
    pattern: str
    origin: str
    methods: set
    query: str = "none"            # none, all, whitelist, allExcept
    query_names: set = field(default_factory=set)
    cached: bool = True
    rewrites: bool = False         # a viewer-request function is attached
    element: object = None         # the configuration: policies are read from it when a request comes


@dataclass
class ErrorRule:
    page: str
    response_code: int
    ttl: float


class Distribution:
    def __init__(self, identifier, config, policies, now):
        self.id, self.created = identifier, now
        self.etag = ""
        self.invalidations = {}
        self.update(config, policies, now)

    def update(self, config, policies, now):
        """Take a new configuration; the XML tree itself stays what Get answers with."""
        self.config, self.modified = config, now
        self.caller_reference = xmlio.text(config, "CallerReference", "")
        self.enabled = xmlio.text(config, "Enabled", "true") == "true"
        self.root = xmlio.text(config, "DefaultRootObject", "").lstrip("/")
        self.origins = {o.id: o for o in map(_origin, config.findall("Origins/Items/Origin"))}
        self.behaviors = [_behavior(b, policies) for b in config.findall("CacheBehaviors/Items/CacheBehavior")]
        default = config.find("DefaultCacheBehavior")
        if default is not None:
            self.behaviors.append(_behavior(default, policies, "*"))
        self.errors = dict(map(_error_rule, config.findall("CustomErrorResponses/Items/CustomErrorResponse")))

    def behavior_for(self, path):
        return next(b for b in self.behaviors if b.pattern == "*" or match_behavior(b.pattern, path))

    def error_ttl(self, status):
        rule = self.errors.get(status)
        return rule.ttl if rule else DEFAULT_ERROR_TTL


def _origin(element):
    path = xmlio.text(element, "OriginPath", "") or ""
    headers = tuple((xmlio.text(h, "HeaderName", ""), xmlio.text(h, "HeaderValue", "")) for h in element.findall("CustomHeaders/Items/OriginCustomHeader"))
    return Origin(xmlio.text(element, "Id", ""), xmlio.text(element, "DomainName", ""), path.rstrip("/"), xmlio.text(element, "OriginAccessControlId", ""), headers)


def _error_rule(element):
    code = int(xmlio.text(element, "ErrorCode", "0"))
    response = xmlio.text(element, "ResponseCode") or code
    ttl = xmlio.text(element, "ErrorCachingMinTTL") or DEFAULT_ERROR_TTL
    return code, ErrorRule(xmlio.text(element, "ResponsePagePath", "") or "", int(response), float(ttl))


def _behavior(element, policies, pattern=None):
    methods = {m.text for m in element.findall("AllowedMethods/Items/Method")} or {"GET", "HEAD"}
    behavior = Behavior(pattern or xmlio.text(element, "PathPattern", ""), xmlio.text(element, "TargetOriginId", ""), methods, element=element)
    associations = element.findall("FunctionAssociations/Items/FunctionAssociation")
    associations += element.findall("LambdaFunctionAssociations/Items/LambdaFunctionAssociation")
    behavior.rewrites = any(xmlio.text(a, "EventType") == "viewer-request" for a in associations)
    policy = xmlio.text(element, "CachePolicyId")
    if policy:
        _apply_policy(behavior, policy, policies)
    else:
        _apply_forwarded(behavior, element)
    return behavior


def _apply_policy(behavior, policy_id, policies):
    found = policies.get("CachePolicy", policy_id)
    if found is None:
        return
    config = found.config
    behavior.cached = int(xmlio.text(config, "MaxTTL") or 31536000) > 0
    strings = "ParametersInCacheKeyAndForwardedToOrigin/QueryStringsConfig/"
    behavior.query = xmlio.text(config, strings + "QueryStringBehavior", "none")
    behavior.query_names = {n.text or "" for n in config.findall(strings + "QueryStrings/Items/Name")}


def _apply_forwarded(behavior, element):
    behavior.cached = int(xmlio.text(element, "MaxTTL") or 31536000) > 0
    if xmlio.text(element, "ForwardedValues/QueryString", "false") != "true":
        return
    names = {n.text or "" for n in element.findall("ForwardedValues/QueryStringCacheKeys/Items/Name")}
    behavior.query, behavior.query_names = ("whitelist", names) if names else ("all", set())


def keyed_query(behavior, query):
    """The part of a query string that is in the cache key."""
    if not query or behavior.query == "none":
        return ""
    if behavior.query == "all":
        return query
    keep_named = behavior.query == "whitelist"
    return "&".join(p for p in query.split("&") if (p.partition("=")[0] in behavior.query_names) == keep_named)
