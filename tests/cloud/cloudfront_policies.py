"""What CloudFront keeps beside distributions: cache, origin request and response headers policies, origin access controls.

Configurations are XML elements, as the API sends them. To make one from properties as CloudFormation has them:

    made = cloudfront.policies.create("ResponseHeadersPolicy", {"Name": "strict", "SecurityHeadersConfig": {...}})
    made.id, made.config, made.etag
    cloudfront.policies.update(kind, made.id, properties); cloudfront.policies.delete(kind, made.id)

A kind is "CachePolicy", "OriginRequestPolicy", "ResponseHeadersPolicy" or "OriginAccessControl"; the properties are those inside
its `...Config`. Distributions read policies by id when a request comes, so that an update is felt at once.
"""
import secrets
import xml.etree.ElementTree as ET

from . import xmlio
from .errors import AwsError

SECURITY_HEADERS = "67f7725c-6f97-4210-82d7-5512b31e9d03"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
# kind: its segment in paths
KINDS = {"CachePolicy": "cache-policy", "OriginRequestPolicy": "origin-request-policy", "ResponseHeadersPolicy": "response-headers-policy",
         "OriginAccessControl": "origin-access-control"}
# What an item of a list is called in XML; "" where the same name serves lists of other things.
_ITEMS = {"Headers": "Name", "Cookies": "Name", "QueryStrings": "Name", "AccessControlAllowOrigins": "Origin", "AccessControlAllowHeaders": "Header",
          "AccessControlAllowMethods": "Method", "AccessControlExposeHeaders": "Header", "CustomHeadersConfig": "ResponseHeadersPolicyCustomHeader",
          "RemoveHeadersConfig": "ResponseHeadersPolicyRemoveHeader"}


def element_of(name, value):
    """An element from plain data: dictionaries nest, lists become Quantity and Items, with or without an `Items` around them."""
    made = ET.Element(name)
    if isinstance(value, dict) and set(value) <= {"Items", "Quantity"} and name in _ITEMS:
        value = value.get("Items") or []
    if isinstance(value, dict):
        made.extend(element_of(k, v) for k, v in value.items() if v is not None)
    elif isinstance(value, list):
        ET.SubElement(made, "Quantity").text = str(len(value))
        if value:
            ET.SubElement(made, "Items").extend(element_of(_ITEMS[name], v) for v in value)
    else:
        made.text = str(value).lower() if isinstance(value, bool) else str(value)
    return made


class Policy:
    __slots__ = ("id", "kind", "config", "etag", "modified", "managed")

    def __init__(self, identifier, kind, config, modified, managed=False):
        self.id, self.kind, self.config, self.modified, self.managed = identifier, kind, config, modified, managed
        self.etag = new_etag()

    @property
    def name(self):
        return xmlio.text(self.config, "Name", "")


def new_etag():
    return "E" + secrets.token_hex(7).upper()[:13]


class Policies:
    def __init__(self, clock):
        self._clock = clock
        self._kept = {kind: {} for kind in KINDS}
        for kind, table in _MANAGED.items():
            for identifier, properties in table.items():
                self._kept[kind][identifier] = Policy(identifier, kind, element_of(kind + "Config", properties), 0, True)
        self.uses = lambda identifier: False   # whether a distribution names it
        self.on_update = lambda: None

    def create(self, kind, config):
        config = self._checked(kind, config)
        if any(p.name == xmlio.text(config, "Name") for p in self._kept[kind].values()):
            raise AwsError(409, f"{kind}AlreadyExists", "A resource of this kind with the same name already exists.")
        identifier = new_etag() if kind == "OriginAccessControl" else "-".join(secrets.token_hex(n) for n in (4, 2, 2, 2, 6))
        made = self._kept[kind][identifier] = Policy(identifier, kind, config, self._clock.now())
        return made

    @staticmethod
    def _checked(kind, config):
        if isinstance(config, dict):
            config = element_of(kind + "Config", config)
        if config.tag != kind + "Config" or not xmlio.text(config, "Name"):
            raise AwsError(400, "InvalidArgument", f"The {kind} configuration is not valid.")
        return config

    def get(self, kind, identifier):
        """The policy, or None."""
        return self._kept[kind].get(identifier)

    def find(self, kind, identifier):
        found = self.get(kind, identifier)
        if found is None:
            raise AwsError(404, f"NoSuch{kind}", f"The specified {kind} does not exist.")
        return found

    def every(self, kind):
        return list(self._kept[kind].values())

    def update(self, kind, identifier, config, etag=None):
        found = self._changeable(kind, identifier, etag, "IllegalUpdate")
        found.config, found.etag, found.modified = self._checked(kind, config), new_etag(), self._clock.now()
        self.on_update()
        return found

    def delete(self, kind, identifier, etag=None):
        self._changeable(kind, identifier, etag, "IllegalDelete")
        if self.uses(identifier):
            raise AwsError(409, f"{kind}InUse", f"The {kind} is attached to a distribution.")
        del self._kept[kind][identifier]

    def _changeable(self, kind, identifier, etag, illegal):
        found = self.find(kind, identifier)
        if found.managed:
            raise AwsError(400, illegal, f"You cannot change or delete a managed {kind}.")
        if etag is not None and etag.strip('"') != found.etag:
            raise AwsError(412, "PreconditionFailed", "The precondition in one or more of the request fields evaluated to false.")
        return found


# The managed ones

def _cache(name, most, query="none", headers=(), cookies="none"):
    return {"Comment": "", "Name": name, "DefaultTTL": min(86400, most), "MaxTTL": most, "MinTTL": min(1, most), "ParametersInCacheKeyAndForwardedToOrigin": {
        "EnableAcceptEncodingGzip": most > 0, "EnableAcceptEncodingBrotli": most > 0, "HeadersConfig": _some("Header", "Headers", headers),
        "CookiesConfig": {"CookieBehavior": cookies}, "QueryStringsConfig": {"QueryStringBehavior": query}}}


def _some(what, plural, names):
    return {what + "Behavior": "whitelist", plural: list(names)} if names else {what + "Behavior": "none"}


def _request(name, headers, names=(), cookies="all", query="all"):
    return {"Comment": "", "Name": name, "HeadersConfig": {"HeaderBehavior": headers, **({"Headers": list(names)} if names else {})},
            "CookiesConfig": {"CookieBehavior": cookies}, "QueryStringsConfig": {"QueryStringBehavior": query}}


def _response(name, cors=None, security=False):
    found = {"Comment": "", "Name": name}
    if cors == "simple":
        found["CorsConfig"] = {"AccessControlAllowOrigins": ["*"], "AccessControlAllowHeaders": ["*"], "AccessControlAllowMethods": ["GET"],
                               "AccessControlAllowCredentials": False, "OriginOverride": False}
    elif cors:
        found["CorsConfig"] = {"AccessControlAllowOrigins": ["*"], "AccessControlAllowHeaders": ["*"], "AccessControlExposeHeaders": ["*"],
                               "AccessControlAllowMethods": ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"],
                               "AccessControlAllowCredentials": False, "OriginOverride": False}
    if security:
        found["SecurityHeadersConfig"] = {
            "XSSProtection": {"Override": False, "Protection": True, "ModeBlock": True}, "FrameOptions": {"Override": False, "FrameOption": "SAMEORIGIN"},
            "ReferrerPolicy": {"Override": False, "ReferrerPolicy": "strict-origin-when-cross-origin"}, "ContentTypeOptions": {"Override": True},
            "StrictTransportSecurity": {"Override": False, "AccessControlMaxAgeSec": 31536000, "IncludeSubdomains": False, "Preload": False}}
    return found


_ORIGIN_HEADERS = ("Host", "Origin", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
_MANAGED = {
    "CachePolicy": {
        "658327ea-f89d-4fab-a63d-7e88639e58f6": _cache("Managed-CachingOptimized", 31536000),
        "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": _cache("Managed-CachingOptimizedForUncompressedObjects", 31536000),
        "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": _cache("Managed-CachingDisabled", 0),
        "83da9c7e-98b4-4e11-a168-04f0df8e2c65": _cache("UseOriginCacheControlHeaders", 31536000, "none", _ORIGIN_HEADERS, "all"),
        "4cc15a8a-d715-48a4-82b8-cc0b614638fe": _cache("UseOriginCacheControlHeaders-QueryStrings", 31536000, "all", _ORIGIN_HEADERS, "all"),
        "2e54312d-136d-493c-8eb9-b001f22f67d2": _cache("Managed-Amplify", 600, "all", ("Authorization", "CloudFront-Viewer-Country", "Host"), "all"),
    },
    "OriginRequestPolicy": {
        ALL_VIEWER: _request("Managed-AllViewer", "allViewer"),
        ALL_VIEWER_EXCEPT_HOST: _request("Managed-AllViewerExceptHostHeader", "allExcept", ("Host",)),
        "33f36d7e-f396-46d9-90e0-52428a34d9dc": _request("Managed-AllViewerAndCloudFrontHeaders-2022-06", "allViewerAndWhitelistCloudFront", (
            "CloudFront-Forwarded-Proto", "CloudFront-Is-Desktop-Viewer", "CloudFront-Is-Mobile-Viewer", "CloudFront-Viewer-Address", "CloudFront-Viewer-Country",
            "CloudFront-Viewer-Http-Version", "CloudFront-Viewer-TLS")),
        "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": _request("Managed-CORS-S3Origin", "whitelist", (
            "Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"), "none", "none"),
        "59781a5b-3903-41f3-afcb-af62929ccde1": _request("Managed-CORS-CustomOrigin", "whitelist", ("Origin",), "none", "none"),
        "acba4595-bd28-49b8-b9fe-13317c0390fa": _request("Managed-UserAgentRefererHeaders", "whitelist", ("User-Agent", "Referer"), "none", "none"),
        "bf0718e1-ba1e-49d1-88b1-f726733018ae": _request("Managed-HostHeaderOnly", "whitelist", ("Host",), "none", "none"),
    },
    "ResponseHeadersPolicy": {
        "60669652-455b-4ae9-85a4-c4c02393f86c": _response("Managed-SimpleCORS", "simple"),
        "5cc3b908-e619-4b99-88e5-2cf7f45965bd": _response("Managed-CORS-With-Preflight", "preflight"),
        SECURITY_HEADERS: _response("Managed-SecurityHeadersPolicy", None, True),
        "e61eb60c-9c35-4d20-a928-2b84e02af89c": _response("Managed-CORS-and-SecurityHeadersPolicy", "simple", True),
        "eaab4381-ed33-4a86-88ca-d9558dc6cd63": _response("Managed-CORS-with-preflight-and-SecurityHeadersPolicy", "preflight", True),
    },
}
