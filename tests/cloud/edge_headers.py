"""Response headers policies, applied to what a viewer gets; the cache holds the origin's headers."""
import fnmatch

from . import xmlio


def apply(config, request, headers):
    """`headers` (a list of pairs) as the policy leaves them; `config` is a ResponseHeadersPolicyConfig."""
    for item in config.findall("RemoveHeadersConfig/Items/ResponseHeadersPolicyRemoveHeader"):
        headers = _without(headers, xmlio.text(item, "Header", ""))
    for name, value, override in [*_cors(config.find("CorsConfig"), request), *_security(config.find("SecurityHeadersConfig")), *_custom(config)]:
        present = any(n.lower() == name.lower() for n, _ in headers)
        if override or not present:
            headers = [*_without(headers, name), (name, value)]
    return headers


def _without(headers, name):
    return [(n, v) for n, v in headers if n.lower() != name.lower()]


def _true(element, path):
    return xmlio.text(element, path, "false") == "true"


def _security(config):
    if config is None:
        return
    for tag, name, value in (
            ("StrictTransportSecurity", "Strict-Transport-Security", _transport), ("ContentTypeOptions", "X-Content-Type-Options", lambda e: "nosniff"),
            ("FrameOptions", "X-Frame-Options", lambda e: xmlio.text(e, "FrameOption", "")), ("XSSProtection", "X-XSS-Protection", _protection),
            ("ReferrerPolicy", "Referrer-Policy", lambda e: xmlio.text(e, "ReferrerPolicy", "")),
            ("ContentSecurityPolicy", "Content-Security-Policy", lambda e: xmlio.text(e, "ContentSecurityPolicy", ""))):
        element = config.find(tag)
        if element is not None:
            yield name, value(element), _true(element, "Override")


def _transport(element):
    value = "max-age=" + xmlio.text(element, "AccessControlMaxAgeSec", "0")
    return value + ("; includeSubDomains" if _true(element, "IncludeSubdomains") else "") + ("; preload" if _true(element, "Preload") else "")


def _protection(element):
    if not _true(element, "Protection"):
        return "0"
    report = xmlio.text(element, "ReportUri")
    return "1" + ("; mode=block" if _true(element, "ModeBlock") else "") + (f"; report={report}" if report else "")


def _custom(config):
    for item in config.findall("CustomHeadersConfig/Items/ResponseHeadersPolicyCustomHeader"):
        yield xmlio.text(item, "Header", ""), xmlio.text(item, "Value", ""), _true(item, "Override")


def _cors(config, request):
    """Only for requests that name an origin which is allowed."""
    origin = request.headers.get("origin")
    if config is None or origin is None:
        return
    override, listed = _true(config, "OriginOverride"), lambda what, item: [e.text or "" for e in config.findall(f"{what}/Items/{item}")]
    allowed = listed("AccessControlAllowOrigins", "Origin")
    if not any(fnmatch.fnmatchcase(origin, a) for a in allowed):
        return
    yield "Access-Control-Allow-Origin", "*" if "*" in allowed else origin, override
    if "*" not in allowed:
        yield "Vary", "Origin", override
    if _true(config, "AccessControlAllowCredentials"):
        yield "Access-Control-Allow-Credentials", "true", override
    exposed = listed("AccessControlExposeHeaders", "Header")
    if exposed:
        yield "Access-Control-Expose-Headers", ", ".join(exposed), override
    if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
        yield "Access-Control-Allow-Methods", ", ".join(listed("AccessControlAllowMethods", "Method")), override
        yield "Access-Control-Allow-Headers", ", ".join(listed("AccessControlAllowHeaders", "Header")), override
        yield "Access-Control-Max-Age", xmlio.text(config, "AccessControlMaxAgeSec", "600"), override
