"""How CloudFront spells paths: what an invalidation may contain and what it covers."""
import re

MAX_LENGTH = 4000
# RFC 1738 calls these unsafe; they and everything outside printable ASCII travel percent-encoded.
UNSAFE = set(b' <>"#%{}|\\^~[]`')
# Decoding these would change what the path means.
_STRUCTURAL = set(b"/?")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_ALLOWED = re.compile(r"/(?:[!$&'()*+,\-./0-9:;=?@A-Z_a-z]|%[0-9A-Fa-f]{2})*")


def _must_encode(byte):
    return byte <= 0x20 or byte >= 0x7F or byte in UNSAFE


def cache_path(raw):
    """The path under which an edge keeps a response: one spelling for every equivalent request path.

    Not established for the real service. Here the spelling is the one that invalidations must use, so that a
    pattern which encodes too much misses, as the manual warns.
    """
    def settle(match):
        byte = int(match[1], 16)
        return b"%%%02X" % byte if _must_encode(byte) or byte in _STRUCTURAL else bytes([byte])

    settled = _ESCAPE.sub(settle, raw.encode("latin-1"))
    return "".join(f"%{b:02X}" if b != 0x25 and _must_encode(b) else chr(b) for b in settled)


def viewer_path(key):
    """The request path a browser would use for an object key."""
    out = []
    for byte in key.encode():
        out.append(f"%{byte:02X}" if _must_encode(byte) or byte == 0x3F else chr(byte))
    return "/" + "".join(out)


def valid_pattern(path):
    return len(path) <= MAX_LENGTH and _ALLOWED.fullmatch(path) is not None and "*" not in path[:-1]


def _settle_escapes(pattern):
    return _ESCAPE.sub(lambda m: m[0].upper(), pattern.encode()).decode()


class Cover:
    """The patterns of one invalidation, ready to be asked often."""

    def __init__(self, patterns):
        settled = [_settle_escapes(p) for p in patterns]
        self.exact = {p for p in settled if not p.endswith("*")}
        self.prefixes = tuple(p[:-1] for p in settled if p.endswith("*"))

    def covers(self, name):
        return name in self.exact or (bool(self.prefixes) and name.startswith(self.prefixes))


def match_behavior(pattern, path):
    """A cache behaviour's path pattern: `*` and `?`, with or without the leading slash."""
    pattern = pattern if pattern.startswith(("/", "*")) else "/" + pattern
    regex = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(regex, path, re.S) is not None
