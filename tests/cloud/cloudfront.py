"""The CloudFront API, version 2020-05-31: distributions, invalidations, cache policies, access controls, functions."""
import base64
import re
import secrets

from . import xmlio
from .clock import iso_date
from .distribution import MANAGED_POLICIES, Distribution
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
    ("GET", r"cache-policy/?", "ListCachePolicies"),
    ("POST", r"cache-policy/?", "CreateCachePolicy"),
    ("GET", r"cache-policy/([^/]+)", "GetCachePolicy"),
    ("GET", r"cache-policy/([^/]+)/config", "GetCachePolicyConfig"),
    ("POST", r"origin-access-control/?", "CreateOriginAccessControl"),
    ("GET", r"origin-access-control/([^/]+)", "GetOriginAccessControl"),
    ("POST", r"function/?", "CreateFunction"),
    ("GET", r"function/([^/]+)", "GetFunction"),
    ("GET", r"function/([^/]+)/describe", "DescribeFunction"),
    ("POST", r"function/([^/]+)/publish", "PublishFunction"),
)]


def route(method, path):
    """(operation, path arguments)."""
    for wanted, pattern, name in _ROUTES:
        match = pattern.fullmatch(path) if wanted == method else None
        if match:
            return name, match.groups()
    return "Unknown", ()


class CloudFront:
    def __init__(self, account, clock):
        self.account, self.clock = account, clock
        self.distributions, self.policies, self.access_controls, self.functions = {}, {}, {}, {}
        self.invalidations = Invalidations(clock)
        self.on_invalidation = lambda distribution, invalidation: None

    def handle(self, request, fault):
        name, arguments = route(request.method, request.path)
        if name == "Unknown":
            raise AwsError(501, "NotImplemented", "The local cloud has no such CloudFront operation")
        if name == "CreateInvalidation":
            return self._CreateInvalidation(request, fault, *arguments)
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
        used = [p.text or "" for p in root.iter("CachePolicyId")]
        if any(p not in MANAGED_POLICIES and p not in self.policies for p in used):
            raise AwsError(404, "NoSuchCachePolicy", "The specified cache policy does not exist.")
        return root

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

    # Cache policies

    def _policy_xml(self, identifier):
        if identifier in self.policies:
            return xmlio.inner_xml_children(self.policies[identifier])
        if identifier not in MANAGED_POLICIES:
            raise AwsError(404, "NoSuchCachePolicy", "The cache policy does not exist.")
        name, ttl, query = MANAGED_POLICIES[identifier]
        return (xmlio.tag("Comment", "") + xmlio.tag("Name", name) + xmlio.tag("DefaultTTL", min(86400, ttl)) + xmlio.tag("MaxTTL", ttl) + xmlio.tag("MinTTL", min(1, ttl))
                + "<ParametersInCacheKeyAndForwardedToOrigin><EnableAcceptEncodingGzip>true</EnableAcceptEncodingGzip>"
                "<EnableAcceptEncodingBrotli>true</EnableAcceptEncodingBrotli><HeadersConfig><HeaderBehavior>none</HeaderBehavior></HeadersConfig>"
                "<CookiesConfig><CookieBehavior>none</CookieBehavior></CookiesConfig><QueryStringsConfig>"
                + xmlio.tag("QueryStringBehavior", query) + "</QueryStringsConfig></ParametersInCacheKeyAndForwardedToOrigin>")

    def _policy(self, identifier):
        return (xmlio.tag("Id", identifier) + xmlio.tag("LastModifiedTime", iso_date(0))
                + f"<CachePolicyConfig>{self._policy_xml(identifier)}</CachePolicyConfig>")

    def _CreateCachePolicy(self, request):
        config = _parsed(request.body)
        name = xmlio.text(config, "Name", "")
        if any(xmlio.text(p, "Name") == name for p in self.policies.values()):
            raise AwsError(409, "CachePolicyAlreadyExists", "A cache policy with this name already exists.")
        identifier = "-".join(secrets.token_hex(n) for n in (4, 2, 2, 2, 6))
        self.policies[identifier] = config
        return _answer(201, "CachePolicy", self._policy(identifier), [("ETag", _new_etag())])

    def _GetCachePolicy(self, request, identifier):
        return _answer(200, "CachePolicy", self._policy(identifier), [("ETag", "E23ZP02F085DFQ")])

    def _GetCachePolicyConfig(self, request, identifier):
        return _answer(200, "CachePolicyConfig", self._policy_xml(identifier), [("ETag", "E23ZP02F085DFQ")])

    def _ListCachePolicies(self, request):
        every = [("managed", i) for i in MANAGED_POLICIES] + [("custom", i) for i in self.policies]
        if "Type=" in request.query:
            every = [e for e in every if "Type=" + e[0] in request.query]
        items = "".join(f"<CachePolicySummary><Type>{kind}</Type><CachePolicy>{self._policy(i)}</CachePolicy></CachePolicySummary>" for kind, i in every)
        return _answer(200, "CachePolicyList", f"<MaxItems>100</MaxItems><Quantity>{len(every)}</Quantity><Items>{items}</Items>")

    # Origin access controls and functions: kept and answered, so that tools which set up a site can run

    def _CreateOriginAccessControl(self, request):
        identifier = "E" + secrets.token_hex(7).upper()[:13]
        self.access_controls[identifier] = _parsed(request.body)
        return self._access_control(identifier, 201)

    def _GetOriginAccessControl(self, request, identifier):
        if identifier not in self.access_controls:
            raise AwsError(404, "NoSuchOriginAccessControl", "The origin access control does not exist.")
        return self._access_control(identifier, 200)

    def _access_control(self, identifier, status):
        config = xmlio.inner_xml_children(self.access_controls[identifier])
        inner = xmlio.tag("Id", identifier) + f"<OriginAccessControlConfig>{config}</OriginAccessControlConfig>"
        return _answer(status, "OriginAccessControl", inner, [("ETag", "E23ZP02F085DFQ")])

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

    def _PublishFunction(self, request, name):
        return self._function(name)

    def _GetFunction(self, request, name):
        self._function(name)
        root, etag = self.functions[name]
        return Response(200, [("Content-Type", "application/octet-stream"), ("ETag", etag)], base64.b64decode(xmlio.text(root, "FunctionCode", "")))


def _new_etag():
    return "E" + secrets.token_hex(7).upper()[:13]


def _malformed():
    return AwsError(400, "MalformedInput", "Could not parse the request body.")


def _parsed(body):
    root = xmlio.parse(body)
    if root is None:
        raise _malformed()
    return root


def _check_version(request, etag):
    given = request.headers.get("if-match")
    if not given:
        raise AwsError(400, "InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.")
    if given.strip('"') != etag:
        raise AwsError(412, "PreconditionFailed", "The precondition in one or more of the request fields evaluated to false.")


def _answer(status, name, inner, headers=()):
    return Response(status, [("Content-Type", "text/xml"), *headers], xmlio.document(name, NAMESPACE, inner))
