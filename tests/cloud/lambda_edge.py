"""The edge's way to a Function URL: what of a viewer's request an origin gets, and who signs it.

What the origin gets is what the cache policy and the origin request policy name, and what CloudFront always sends: the path, the
body with its type, Host (the origin's, unless a policy forwards the viewer's: then no URL is found), User-Agent, Via, X-Forwarded-For.
"""
from . import xmlio
from .http11 import Request
from .lambda_store import URL_HOST
from .lambda_url import Caller, digest_matches, mismatch

EDGE_ADDRESS = "192.0.2.44"
VIEWER_PORT = 46532
_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authorization", "proxy-connection", "expect", "content-length",
        "x-cloud-viewer", "x-cloud-distribution", "via", "x-forwarded-for", "x-forwarded-proto", "x-amz-cf-id"}
# What legacy cache settings hold back unless it is listed.
_LEGACY_HELD = {"host", "accept", "accept-charset", "accept-language", "authorization", "cookie", "referer", "user-agent", "origin"}


def is_function(origin):
    return URL_HOST.fullmatch(origin.domain) is not None


def viewer_of(request):
    return request.headers.get("x-cloud-viewer", "127.0.0.1")


class _Choice:
    """Which headers, cookies or parameters one policy lets through."""

    def __init__(self, mode, names=()):
        self.mode, self.names = mode, {n.lower() for n in names}

    def takes(self, name):
        listed = name.lower() in self.names
        return {"all": True, "allViewer": True, "allViewerAndWhitelistCloudFront": True, "allExcept": not listed, "whitelist": listed}.get(self.mode, False)

    def adds(self, name):
        """Whether CloudFront adds its own header of this name. Except-policies include them; all-viewer ones do not."""
        return self.takes(name) if self.mode in ("allExcept", "whitelist") else self.mode == "allViewerAndWhitelistCloudFront" and name.lower() in self.names


def _choices(behavior, policies):
    """(headers, cookies, parameters): lists of choices, any of which suffices."""
    element, found = behavior.element, ([], [], [])
    cache = policies.get("CachePolicy", xmlio.text(element, "CachePolicyId") or "")
    request = policies.get("OriginRequestPolicy", xmlio.text(element, "OriginRequestPolicyId") or "")
    for policy, prefix in ((cache, "ParametersInCacheKeyAndForwardedToOrigin/"), (request, "")):
        if policy is None:
            continue
        for place, (section, behaviour, names) in enumerate((("HeadersConfig", "HeaderBehavior", "Headers"), ("CookiesConfig", "CookieBehavior", "Cookies"),
                                                             ("QueryStringsConfig", "QueryStringBehavior", "QueryStrings"))):
            path = f"{prefix}{section}/"
            found[place].append(_Choice(xmlio.text(policy.config, path + behaviour, "none"), _names(policy.config, path + names + "/Items/Name")))
    if cache is None and element.find("ForwardedValues") is not None:
        _legacy(element.find("ForwardedValues"), found)
    return found


def _names(element, path):
    return [e.text or "" for e in element.findall(path)]


def _legacy(values, found):
    listed = {n.lower() for n in _names(values, "Headers/Items/Name")}
    found[0].append(_Choice("allViewer") if "*" in listed else _Choice("allExcept", _LEGACY_HELD - listed))
    found[1].append(_Choice(xmlio.text(values, "Cookies/Forward", "none"), _names(values, "Cookies/WhitelistedNames/Items/Name")))
    found[2].append(_Choice("all" if xmlio.text(values, "QueryString", "false") == "true" else "none"))


def _cloudfront_headers(viewer):
    return (("cloudfront-viewer-address", f"{viewer}:{VIEWER_PORT}"), ("cloudfront-forwarded-proto", "https"), ("cloudfront-viewer-country", "DE"),
            ("cloudfront-viewer-http-version", "2.0"), ("cloudfront-viewer-tls", "TLSv1.3:TLS_AES_128_GCM_SHA256:fullHandshake"),
            ("cloudfront-is-desktop-viewer", "true"), ("cloudfront-is-mobile-viewer", "false"), ("cloudfront-is-tablet-viewer", "false"))


def forwarded(request, behavior, origin, policies):
    """The request that the origin gets."""
    headers, cookies, parameters = _choices(behavior, policies)
    viewer, pairs = viewer_of(request), []
    for name, value in request.pairs:
        # A viewer cannot say what CloudFront says of it.
        if name in _HOP or name == "cookie" or name.startswith("cloudfront-"):
            continue
        if any(c.takes(name) for c in headers) or (name == "content-type" and request.body):
            pairs.append((name, value))
    kept = [c for c in (p.strip() for p in request.headers.get("cookie", "").split(";")) if c and any(k.takes(c.partition("=")[0]) for k in cookies)]
    if kept:
        pairs.append(("cookie", "; ".join(kept)))
    present = {n for n, _ in pairs}
    pairs += [("host", origin.domain)] if "host" not in present else []
    pairs += [("user-agent", "Amazon CloudFront")] if "user-agent" not in present else []
    pairs += [(n, v) for n, v in _cloudfront_headers(viewer) if any(c.adds(n) for c in headers)]
    seen = request.headers.get("x-forwarded-for")
    pairs += [("x-forwarded-for", f"{seen}, {viewer}" if seen else viewer), ("via", "2.0 local.cloudfront.net (CloudFront)"), ("x-amz-cf-id", "local")]
    own = {n.lower() for n, _ in origin.headers}
    pairs = [p for p in pairs if p[0] not in own] + [(n.lower(), v) for n, v in origin.headers]
    query = "&".join(p for p in request.query.split("&") if p and any(c.takes(p.partition("=")[0]) for c in parameters))
    made = Request(request.method, origin.path + request.path + ("?" + query if query else ""), pairs, True, request.started, 0)
    made.body = request.body
    return made


class FunctionOrigins:
    def __init__(self, functions, urls, policies, account):
        self.functions, self.urls, self.policies, self.account = functions, urls, policies, account

    def key_of(self, request, behavior):
        """The headers and cookies that are in the cache key."""
        policy = self.policies.get("CachePolicy", xmlio.text(behavior.element, "CachePolicyId") or "")
        if policy is None:
            return ()
        prefix = "ParametersInCacheKeyAndForwardedToOrigin/"
        names = _names(policy.config, prefix + "HeadersConfig/Headers/Items/Name")
        cookies = xmlio.text(policy.config, prefix + "CookiesConfig/CookieBehavior", "none")
        return tuple(request.headers.get(n.lower(), "") for n in names) + ((request.headers.get("cookie", ""),) if cookies != "none" else ())

    async def fetch(self, request, distribution, behavior, origin):
        """The URL's answer, signed for if the origin's access control says so."""
        made = forwarded(request, behavior, origin, self.policies)
        caller = Caller(EDGE_ADDRESS)
        if self._signs(origin, made):
            if not digest_matches(request):
                return mismatch()
            made.pairs = [p for p in made.pairs if p[0] != "authorization"]
            made.headers.pop("authorization", None)
            caller.distribution = f"arn:aws:cloudfront::{self.account}:distribution/{distribution.id}"
        return await self.urls.serve(made, self.functions.url_of_host(made.headers["host"]), caller)

    def _signs(self, origin, made):
        control = self.policies.get("OriginAccessControl", origin.access_control)
        if control is None or xmlio.text(control.config, "OriginAccessControlOriginType") != "lambda":
            return False
        how = xmlio.text(control.config, "SigningBehavior", "never")
        return how == "always" or (how == "no-override" and "authorization" not in made.headers)
