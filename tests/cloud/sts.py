"""STS and a fake OIDC provider, enough to walk the whole web-identity road."""
import base64
import hashlib
import hmac
import json
import re
import secrets
from urllib.parse import parse_qsl

from . import xmlio
from .clock import iso_date
from .errors import NAMESPACES, AwsError
from .http11 import Response

AUDIENCE = "sts.amazonaws.com"
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,576}")
_SESSION = re.compile(r"[\w+=,.@-]{2,64}")


class Oidc:
    """Issues and checks the tokens; their signature is a MAC, since nobody else has to check it."""

    def __init__(self, clock):
        self.clock, self._secret = clock, secrets.token_bytes(32)

    def issue(self, audience, subject="repo:example/site:ref:refs/heads/main"):
        now = int(self.clock.now())
        payload = {"iss": "https://oidc.cloud.localhost", "aud": audience, "sub": subject, "iat": now, "nbf": now, "exp": now + 300, "jti": secrets.token_hex(8)}
        signed = _part({"typ": "JWT", "alg": "HS256"}) + "." + _part(payload)
        return signed + "." + self._mac(signed)

    def _mac(self, text):
        return _base64url(hmac.new(self._secret, text.encode("utf-8", "replace"), hashlib.sha256).digest())

    def check(self, token):
        """The payload; raises what STS answers."""
        signed, _, mac = token.rpartition(".")
        if not hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(signed).encode()):
            raise AwsError(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for the token")
        part = signed.partition(".")[2]
        payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        if payload["aud"] != AUDIENCE:
            raise AwsError(400, "InvalidIdentityToken", "Incorrect token audience")
        if payload["exp"] <= self.clock.now():
            raise AwsError(400, "ExpiredTokenException", f"Token expired: current date/time {int(self.clock.now())} must be before the expiration date/time {payload['exp']}")
        return payload


def _base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _part(value):
    return _base64url(json.dumps(value).encode())


def form_of(request):
    """Query and form parameters of a query-protocol request."""
    text = request.query + "&" + request.body.decode("utf-8", "replace") if request.query else request.body.decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True))


class Sts:
    UNSIGNED = ("AssumeRoleWithWebIdentity",)

    def __init__(self, credentials, oidc):
        self.credentials, self.oidc = credentials, oidc

    def handle(self, form, identity):
        action = form.get("Action", "")
        handler = getattr(self, "_" + action, None) if action.isalpha() else None
        if handler is None:
            raise AwsError(400, "InvalidAction", f"Could not find operation {action} for version {form.get('Version', '')}")
        inner = f"<{action}Result>{handler(form, identity)}</{action}Result><ResponseMetadata><RequestId>{secrets.token_hex(8)}</RequestId></ResponseMetadata>"
        return Response(200, [("Content-Type", "text/xml")], xmlio.document(action + "Response", NAMESPACES["sts"], inner))

    def _GetCallerIdentity(self, form, identity):
        return xmlio.tag("Arn", identity.arn) + xmlio.tag("UserId", identity.user_id) + xmlio.tag("Account", identity.arn.split(":")[4])

    def _AssumeRole(self, form, identity):
        return self._assume(form)

    def _AssumeRoleWithWebIdentity(self, form, identity):
        payload = self.oidc.check(form.get("WebIdentityToken", ""))
        return (self._assume(form) + xmlio.tag("SubjectFromWebIdentityToken", payload["sub"])
                + xmlio.tag("Audience", payload["aud"]) + xmlio.tag("Provider", payload["iss"]))

    def _assume(self, form):
        role, session = form.get("RoleArn", ""), form.get("RoleSessionName", "")
        seconds = form.get("DurationSeconds", "3600")
        if not _ROLE.fullmatch(role):
            raise AwsError(400, "ValidationError", f"{role} is invalid")
        if not _SESSION.fullmatch(session):
            raise AwsError(400, "ValidationError", "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint")
        if not seconds.isdigit() or not 900 <= int(seconds) <= 43200:
            raise AwsError(400, "ValidationError", "The requested DurationSeconds is out of range")
        issued = self.credentials.issue(role, session, int(seconds))
        return ("<Credentials>" + xmlio.tag("AccessKeyId", issued.access_key) + xmlio.tag("SecretAccessKey", issued.secret)
                + xmlio.tag("SessionToken", issued.token) + xmlio.tag("Expiration", iso_date(issued.expires, False)) + "</Credentials>"
                + "<AssumedRoleUser>" + xmlio.tag("Arn", issued.arn) + xmlio.tag("AssumedRoleId", issued.user_id) + "</AssumedRoleUser>")
