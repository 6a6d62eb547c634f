"""HTTP/1.1 on asyncio, keeping the request target exactly as it was received.

Why not a ready-made server: WSGI and most frameworks decode or normalise the path, and a signature is made over the
raw one. One task serves one connection, so that a stalled request holds up nobody else.
"""
import asyncio
import time
import traceback

MAX_HEAD = 64 * 1024
MAX_BODY = 5 * 1024**3
REASONS = {
    100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content",
    301: "Moved Permanently", 302: "Found", 304: "Not Modified", 307: "Temporary Redirect", 400: "Bad Request",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 411: "Length Required",
    412: "Precondition Failed", 413: "Payload Too Large", 416: "Range Not Satisfiable",
    429: "Too Many Requests", 431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable",
}
NO_BODY = (204, 304)


class BadRequest(Exception):
    """The bytes are no HTTP request that this server could answer otherwise."""


class Request:
    __slots__ = ("method", "target", "path", "query", "pairs", "headers", "body", "started", "keep_alive", "bytes_in")

    def __init__(self, method, target, pairs, keep_alive, started, bytes_in):
        self.method, self.target = method, target
        self.path, _, self.query = target.partition("?")
        self.pairs = pairs
        headers = {}
        for name, value in pairs:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        self.headers = headers
        self.keep_alive, self.started, self.bytes_in = keep_alive, started, bytes_in
        self.body = b""


class Response:
    __slots__ = ("status", "headers", "body")

    def __init__(self, status=200, headers=None, body=b""):
        self.status, self.headers, self.body = status, headers if headers is not None else [], body


def parse_head(data, started):
    """`data` is the head without its final empty line."""
    lines = data.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[0].isalpha():
        raise BadRequest("malformed request line")
    method, target, version = parts
    if target.startswith(("http://", "https://")):
        target = "/" + target.split("/", 3)[3] if target.count("/") >= 3 else "/"
    if not target.startswith("/") and target != "*":
        raise BadRequest("malformed request target")
    pairs = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest("malformed header")
        pairs.append((name.lower(), value.strip()))
    if version != "HTTP/1.0" and not any(name == "host" for name, _ in pairs):
        raise BadRequest("missing Host")
    connection = next((v.lower() for n, v in pairs if n == "connection"), "")
    keep = connection != "close" if version != "HTTP/1.0" else connection == "keep-alive"
    return Request(method, target, pairs, keep, started, len(data) + 4)


def serialize(response, head_only=False):
    """The response's head and body as bytes."""
    body = response.body
    reason = REASONS.get(response.status, "Status")
    lines = [f"HTTP/1.1 {response.status} {reason}"]
    has_length = False
    for name, value in response.headers:
        has_length = has_length or name.lower() == "content-length"
        # A stored header value must not be able to split the response.
        lines.append(f"{name}: {value}".replace("\r", " ").replace("\n", " "))
    if not has_length and response.status not in NO_BODY:
        lines.append(f"Content-Length: {len(body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8" if not all(map(str.isascii, lines)) else "ascii")
    return head, (b"" if head_only or response.status in NO_BODY else body)


class _Chunks:
    """Decoder of a chunked body that is fed the connection's buffer."""

    def __init__(self, start):
        self.position, self.out = start, bytearray()

    def feed(self, buffer):
        """True when the last chunk and its trailer were seen."""
        while True:
            end = buffer.find(b"\r\n", self.position)
            if end < 0:
                if len(buffer) - self.position > 4096:
                    raise BadRequest("malformed chunk")
                return False
            try:
                size = int(bytes(buffer[self.position:end]).split(b";")[0], 16)
            except ValueError:
                raise BadRequest("malformed chunk") from None
            if size < 0 or len(self.out) + size > MAX_BODY:
                raise BadRequest("malformed chunk")
            if size == 0:
                return self._trailer(buffer, end)
            if len(buffer) < end + 2 + size + 2:
                return False
            self.out += buffer[end + 2:end + 2 + size]
            self.position = end + 2 + size + 2

    def _trailer(self, buffer, end):
        if buffer[end + 2:end + 4] == b"\r\n":
            self.position = end + 4
            return True
        stop = buffer.find(b"\r\n\r\n", end)
        if stop < 0:
            return False
        self.position = stop + 4
        return True


class Connection(asyncio.Protocol):
    """One client. `app` has `async handle(request, connection)`, `malformed(message)` and `aborted(request)`."""

    def __init__(self, app):
        self.app = app
        self.transport = None
        self.buffer = bytearray()
        self.request = None
        self.body_start = self.length = 0
        self.chunks = None
        self.busy = self.closed = False
        self._writable = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        self.closed = True
        self.resume_writing()
        if self.request is not None and not self.busy:
            self.app.aborted(self.request)

    def pause_writing(self):
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self):
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def data_received(self, data):
        self.buffer += data
        if not self.busy:
            self._pump()

    def _pump(self):
        try:
            if self._complete():
                self.busy = True
                asyncio.get_running_loop().create_task(self._serve())
        except BadRequest as error:
            self._refuse(str(error))

    def _complete(self):
        """Take one whole request out of the buffer, if it is there."""
        if self.request is None and not self._take_head():
            return False
        if self.chunks is not None:
            if not self.chunks.feed(self.buffer):
                return False
            body, end = bytes(self.chunks.out), self.chunks.position
        else:
            end = self.body_start + self.length
            if len(self.buffer) < end:
                return False
            body = bytes(memoryview(self.buffer)[self.body_start:end]) if self.length else b""
        del self.buffer[:end]
        self.request.body = body
        self.request.bytes_in += len(body)
        return True

    def _take_head(self):
        while self.buffer.startswith(b"\r\n"):
            del self.buffer[:2]
        end = self.buffer.find(b"\r\n\r\n", 0, MAX_HEAD)
        if end < 0:
            if len(self.buffer) >= MAX_HEAD:
                raise BadRequest("head too large")
            return False
        request = parse_head(bytes(self.buffer[:end]), time.monotonic())
        self.body_start, self.length, self.chunks = end + 4, 0, None
        if "chunked" in request.headers.get("transfer-encoding", "").lower():
            self.chunks = _Chunks(end + 4)
        elif "content-length" in request.headers:
            self.length = _length(request.headers["content-length"])
        self.request = request
        if request.headers.get("expect", "").lower() == "100-continue" and len(self.buffer) < self.body_start + max(self.length, 1):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    async def _serve(self):
        request = self.request
        try:
            await self.app.handle(request, self)
        except Exception:  # the last line of defence: a defect of ours must not kill the server
            traceback.print_exc()
            self.close()
        self.request, self.busy = None, False
        if not request.keep_alive:
            self.close()
        elif not self.closed and self.buffer:
            self._pump()

    def _refuse(self, message):
        head, body = serialize(self.app.malformed(message))
        self.transport.write(head + body)
        self.request = None
        self.close()

    async def send(self, *parts):
        """Write and wait until the peer has taken most of it."""
        if self.closed:
            return
        for part in parts:
            self.transport.write(part)
        while self._writable is not None and not self.closed:
            await self._writable

    def close(self):
        if not self.closed:
            self.transport.close()

    def abort(self):
        """Close without sending what is still buffered: the peer sees a reset or an early end."""
        if not self.closed:
            self.transport.abort()


def _length(text):
    if not text.isascii() or not text.isdigit():
        raise BadRequest("malformed content-length")
    if int(text) > MAX_BODY:
        raise BadRequest("body too large")
    return int(text)
