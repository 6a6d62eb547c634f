"""The CloudFront API, version 2020-05-31: distributions, invalidations, cache policies, access controls, functions."""
import base64
import re
import secrets

from . import xmlio
from .clock import iso_date
from .cloudfront_policies import KINDS, Policies, new_etag as _new_etag
from .distribution import Distribution
from .errors import NAMESPACES, AwsError
from .http11 import Response
from .invalidations import Invalidations

NAMESPACE = NAMESPACES["cloudfront"]
PREFIX = "/2020-05-31/"
_ROUTES = [(method, re.compile(PREFIX + pattern), name) for method, pattern, name in (
    ("POST", r"distribution/?", "CreateDistribution"),
    ("GET", r"distribution/?", "ListDistributions"),
    ("GET", r"distribution/([^/]+)", "GetDistribution"),
    ("DELETE", r"distribution/([^/]+)", "DeleteDistribution"),
    ("GET", r"distribution/([^/]+)/config", "GetDistributionConfig"),
    ("PUT", r"distribution/([^/]+)/config", "UpdateDistribution"),
    ("POST", r"distribution/([^/]+)/invalidation/?", "CreateInvalidation"),
    ("GET", r"distribution/([^/]+)/invalidation/?", "ListInvalidations"),
    ("GET", r"distribution/([^/]+)/invalidation/([^/]+)", "GetInvalidation"),
    ("POST", r"function/?", "CreateFunction"),
    ("GET", r"function/([^/]+)", "GetFunction"),
    ("GET", r"function/([^/]+)/describe", "DescribeFunction"),
    ("POST", r"function/([^/]+)/publish", "PublishFunction"),
    ("PUT", r"function/([^/]+)", "UpdateFunction"),
    ("DELETE", r"function/([^/]+)", "DeleteFunction"),
)]
_POLICY = re.compile(PREFIX + "(" + "|".join(KINDS.values()) + r")(?:/([^/]+)(/config)?)?/?")


def _policy_route(method, path):
    """(verb, kind, path arguments) of an operation on policies and access controls, or None."""
    match = _POLICY.fullmatch(path)
    if match is None:
        return None
    kind = next(k for k, segment in KINDS.items() if segment == match[1])
    if match[2] is None:
        return {"POST": ("Create", kind, ()), "GET": ("List", kind, ())}.get(method)
    verb = {"GET": "GetConfig" if match[3] else "Get", "PUT": "Update", "DELETE": "Delete"}.get(method)
    return (verb, kind, (match[2],)) if verb else None


def _policy_operation(verb, kind):
    if verb == "List":
        return "List" + (kind + "s" if kind == "OriginAccessControl" else kind.replace("Policy", "Policies"))
    return f"Get{kind}Config" if verb == "GetConfig" else verb + kind


def route(method, path):
    """(operation, path arguments)."""
    policy = _policy_route(method, path)
    if policy is not None:
        return _policy_operation(*policy[:2]), policy[2]
    for wanted, pattern, name in _ROUTES:
        match = pattern.fullmatch(path) if wanted == method else None
        if match:
            return name, match.groups()
    return "Unknown", ()


class CloudFront:
    def __init__(self, account, clock):
        self.account, self.clock = account, clock
        self.distributions, self.functions = {}, {}
        self.policies = Policies(clock)
        self.policies.uses, self.policies.on_update = self._uses, self._refresh
        self.invalidations = Invalidations(clock)
        self.on_invalidation = lambda distribution, invalidation: None

    def handle(self, request, fault):
        name, arguments = route(request.method, request.path)
        if name == "Unknown":
            raise AwsError(501, "NotImplemented", "The local cloud has no such CloudFront operation")
        if name == "CreateInvalidation":
            return self._CreateInvalidation(request, fault, *arguments)
        policy = _policy_route(request.method, request.path)
        if policy is not None:
            return self._policies(request, policy[0], policy[1], *arguments)
        try:
            return getattr(self, "_" + name)(request, *arguments)
        except ValueError as error:  # text where the schema wants a number
            raise AwsError(400, "MalformedInput", f"Could not parse the request body: {error}") from None

    # Distributions

    def find(self, identifier):
        distribution = self.distributions.get(identifier)
        if distribution is None:
            raise AwsError(404, "NoSuchDistribution", "The specified distribution does not exist.")
        return distribution

    def _config_of(self, request):
        root = _parsed(request.body)
        if root.tag == "DistributionConfigWithTags":
            root = root.find("DistributionConfig")
        if root is None or root.tag != "DistributionConfig":
            raise _malformed()
        if root.find("DefaultCacheBehavior") is None or not root.findall("Origins/Items/Origin"):
            raise AwsError(400, "InvalidArgument", "The parameter DefaultCacheBehavior or Origins is required.")
        known = {xmlio.text(o, "Id") for o in root.findall("Origins/Items/Origin")}
        targets = [root.find("DefaultCacheBehavior"), *root.findall("CacheBehaviors/Items/CacheBehavior")]
        if any(xmlio.text(t, "TargetOriginId") not in known for t in targets):
            raise AwsError(404, "NoSuchOrigin", "One or more of your origins or origin groups do not exist.")
        for kind in ("CachePolicy", "OriginRequestPolicy", "ResponseHeadersPolicy"):
            for used in root.iter(kind + "Id"):
                if used.text:
                    self.policies.find(kind, used.text)
        self._check_access_controls(root)
        return root

    def _check_access_controls(self, root):
        """Buckets are served without asking for one; other origins must name one that is there."""
        for origin in root.findall("Origins/Items/Origin"):
            used = xmlio.text(origin, "OriginAccessControlId")
            if used and origin.find("CustomOriginConfig") is not None and self.policies.get("OriginAccessControl", used) is None:
                raise AwsError(400, "InvalidOriginAccessControl", "The origin access control is not valid.")

    def _refresh(self):
        """A policy has changed: what distributions took from it is taken again."""
        for distribution in self.distributions.values():
            distribution.update(distribution.config, self.policies, distribution.modified)

    def _uses(self, identifier):
        return any(e.text == identifier for d in self.distributions.values() for e in d.config.iter() if e.tag.endswith(("PolicyId", "AccessControlId")))

    def _CreateDistribution(self, request):
        config = self._config_of(request)
        reference = xmlio.text(config, "CallerReference", "")
        if any(d.caller_reference == reference for d in self.distributions.values()):
            raise AwsError(409, "DistributionAlreadyExists", "The caller reference you are using to create a distribution is associated with another distribution.")
        made = Distribution("E" + secrets.token_hex(7).upper()[:13], config, self.policies, self.clock.now())
        made.etag = _new_etag()
        self.distributions[made.id] = made
        return self._distribution(made, 201, [("Location", f"https://cloudfront.amazonaws.com{PREFIX}distribution/{made.id}")])

    def _GetDistribution(self, request, identifier):
        return self._distribution(self.find(identifier))

    def _GetDistributionConfig(self, request, identifier):
        found = self.find(identifier)
        return _answer(200, "DistributionConfig", "".join(map(xmlio.inner_xml, found.config)), [("ETag", found.etag)])

    def _UpdateDistribution(self, request, identifier):
        found = self.find(identifier)
        _check_version(request, found.etag)
        found.update(self._config_of(request), self.policies, self.clock.now())
        found.etag = _new_etag()
        return self._distribution(found)

    def _DeleteDistribution(self, request, identifier):
        found = self.find(identifier)
        _check_version(request, found.etag)
        if found.enabled:
            raise AwsError(409, "DistributionNotDisabled", "The distribution you are trying to delete has not been disabled.")
        del self.distributions[identifier]
        return Response(204)

    def _ListDistributions(self, request):
        items = "".join("<DistributionSummary>" + self._facts(d) + xmlio.inner_xml_children(d.config) + "</DistributionSummary>" for d in self.distributions.values())
        count = len(self.distributions)
        inner = f"<Marker></Marker><MaxItems>{max(100, count)}</MaxItems><IsTruncated>false</IsTruncated><Quantity>{count}</Quantity>"
        return _answer(200, "DistributionList", inner + (f"<Items>{items}</Items>" if items else ""))

    def _facts(self, d):
        return (xmlio.tag("Id", d.id) + xmlio.tag("ARN", f"arn:aws:cloudfront::{self.account}:distribution/{d.id}")
                + xmlio.tag("Status", "Deployed") + xmlio.tag("LastModifiedTime", iso_date(d.modified))
                + xmlio.tag("DomainName", f"{d.id.lower()}.cloudfront.net"))

    def _distribution(self, d, status=200, headers=()):
        inner = self._facts(d) + xmlio.tag("InProgressInvalidationBatches", len(self.invalidations.in_progress(d)))
        inner += xmlio.inner_xml(d.config)
        return _answer(status, "Distribution", inner, [("ETag", d.etag), *headers])

    # Invalidations

    def _CreateInvalidation(self, request, fault, identifier):
        found = self.find(identifier)
        root = _parsed(request.body)
        paths = [p.text or "" for p in root.findall("Paths/Items/Path")]
        made = self.invalidations.create(found, xmlio.text(root, "CallerReference", ""), paths, xmlio.text(root, "Paths/Quantity", ""),
                                         fault.get("caller_reference") == "InvalidArgument")
        self.on_invalidation(found, made)
        location = f"https://cloudfront.amazonaws.com{PREFIX}distribution/{identifier}/invalidation/{made.id}"
        return self._invalidation(made, 201, [("Location", location)])

    def _invalidation(self, made, status=200, headers=()):
        items = "".join(xmlio.tag("Path", p) for p in made.paths)
        inner = (self._progress(made) + "<InvalidationBatch><Paths>" + xmlio.tag("Quantity", len(made.paths)) + f"<Items>{items}</Items></Paths>"
                 + xmlio.tag("CallerReference", made.reference) + "</InvalidationBatch>")
        return _answer(status, "Invalidation", inner, headers)

    def _progress(self, made):
        status = "Completed" if self.clock.now() >= made.completed else "InProgress"
        return xmlio.tag("Id", made.id) + xmlio.tag("Status", status) + xmlio.tag("CreateTime", iso_date(made.created))

    def _GetInvalidation(self, request, identifier, invalidation):
        made = self.find(identifier).invalidations.get(invalidation)
        if made is None:
            raise AwsError(404, "NoSuchInvalidation", "The specified invalidation does not exist.")
        return self._invalidation(made)

    def _ListInvalidations(self, request, identifier):
        """Newest first, in pages."""
        query = dict(part.partition("=")[::2] for part in request.query.split("&"))
        made = list(self.find(identifier).invalidations.values())[::-1]
        marker, limit = query.get("Marker", ""), query.get("MaxItems", "100")
        limit = max(1, int(limit)) if limit.isascii() and limit.isdigit() else 100
        start = next((n + 1 for n, i in enumerate(made) if i.id == marker), 0)
        page, more = made[start:start + limit], len(made) > start + limit
        items = "".join("<InvalidationSummary>" + xmlio.tag("Id", i.id) + xmlio.tag("CreateTime", iso_date(i.created))
                        + xmlio.tag("Status", "Completed" if self.clock.now() >= i.completed else "InProgress") + "</InvalidationSummary>" for i in page)
        inner = xmlio.tag("Marker", marker) + (xmlio.tag("NextMarker", page[-1].id) if more else "") + xmlio.tag("MaxItems", limit)
        inner += xmlio.tag("IsTruncated", "true" if more else "false") + xmlio.tag("Quantity", len(page)) + (f"<Items>{items}</Items>" if items else "")
        return _answer(200, "InvalidationList", inner)

    # Policies and access controls

    def _policy(self, found, status=200):
        kind = found.kind
        dated = "" if kind == "OriginAccessControl" else xmlio.tag("LastModifiedTime", iso_date(found.modified))
        inner = xmlio.tag("Id", found.id) + dated + f"<{kind}Config>{xmlio.inner_xml_children(found.config)}</{kind}Config>"
        return _answer(status, kind, inner, [("ETag", found.etag)])

    def _policies(self, request, verb, kind, identifier=None):
        """Each operation on each kind."""
        if verb == "Create":
            return self._policy(self.policies.create(kind, _parsed(request.body)), 201)
        if verb == "List":
            return self._list(request, kind)
        if verb == "Update":
            return self._policy(self.policies.update(kind, identifier, _parsed(request.body), _version(request)))
        if verb == "Delete":
            self.policies.delete(kind, identifier, _version(request))
            return Response(204)
        found = self.policies.find(kind, identifier)
        if verb == "GetConfig":
            return _answer(200, kind + "Config", xmlio.inner_xml_children(found.config), [("ETag", found.etag)])
        return self._policy(found)

    def _list(self, request, kind):
        every = [p for p in self.policies.every(kind) if "Type=" not in request.query or "Type=" + ("managed" if p.managed else "custom") in request.query]
        if kind == "OriginAccessControl":
            items = "".join(f"<{kind}Summary>" + xmlio.tag("Id", p.id) + xmlio.inner_xml_children(p.config) + f"</{kind}Summary>" for p in every)
            head = "<Marker></Marker><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated>"
        else:
            items = "".join(f"<{kind}Summary>" + xmlio.tag("Type", "managed" if p.managed else "custom") + f"<{kind}>" + xmlio.tag("Id", p.id)
                            + xmlio.tag("LastModifiedTime", iso_date(p.modified)) + f"<{kind}Config>{xmlio.inner_xml_children(p.config)}</{kind}Config></{kind}></{kind}Summary>"
                            for p in every)
            head = "<MaxItems>100</MaxItems>"
        return _answer(200, kind + "List", head + xmlio.tag("Quantity", len(every)) + (f"<Items>{items}</Items>" if items else ""))

    # Functions: kept and answered, so that tools which set up a site can run

    def _CreateFunction(self, request):
        root = _parsed(request.body)
        name = xmlio.text(root, "Name", "")
        if name in self.functions:
            raise AwsError(409, "FunctionAlreadyExists", "A function with the same name already exists.")
        self.functions[name] = (root, _new_etag())
        return self._function(name, 201)

    def _function(self, name, status=200):
        if name not in self.functions:
            raise AwsError(404, "NoSuchFunctionExists", "The function does not exist.")
        root, etag = self.functions[name]
        config = root.find("FunctionConfig")
        inner = (xmlio.tag("Name", name) + xmlio.tag("Status", "UNASSOCIATED") + (xmlio.inner_xml(config) if config is not None else "")
                 + "<FunctionMetadata>" + xmlio.tag("FunctionARN", f"arn:aws:cloudfront::{self.account}:function/{name}")
                 + "<Stage>LIVE</Stage>" + xmlio.tag("LastModifiedTime", iso_date(0)) + "</FunctionMetadata>")
        return _answer(status, "FunctionSummary", inner, [("ETag", etag)])

    def _DescribeFunction(self, request, name):
        return self._function(name)

    def _UpdateFunction(self, request, name):
        self._function(name)
        _check_version(request, self.functions[name][1])
        self.functions[name] = (_parsed(request.body), _new_etag())
        answer = self._function(name)
        answer.headers.append(("ETtag", self.functions[name][1]))    # misspelt in the API, and so in every SDK
        return answer

    def _DeleteFunction(self, request, name):
        self._function(name)
        _check_version(request, self.functions[name][1])
        del self.functions[name]
        return Response(204)

    def _PublishFunction(self, request, name):
        return self._function(name)

    def _GetFunction(self, request, name):
        self._function(name)
        root, etag = self.functions[name]
        return Response(200, [("Content-Type", "application/octet-stream"), ("ETag", etag)], base64.b64decode(xmlio.text(root, "FunctionCode", "")))


def _malformed():
    return AwsError(400, "MalformedInput", "Could not parse the request body.")


def _parsed(body):
    root = xmlio.parse(body)
    if root is None:
        raise _malformed()
    return root


def _version(request):
    given = request.headers.get("if-match")
    if not given:
        raise AwsError(400, "InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.")
    return given


def _check_version(request, etag):
    given = _version(request)
    if given.strip('"') != etag:
        raise AwsError(412, "PreconditionFailed", "The precondition in one or more of the request fields evaluated to false.")


def _answer(status, name, inner, headers=()):
    return Response(status, [("Content-Type", "text/xml"), *headers], xmlio.document(name, NAMESPACE, inner))
