"""moto in this process: its server application for everything that is not hot, on this cloud's clock and objects.

The clock is patched into moto before any of its services is imported, since they bind `utcnow` by name.
"""
import datetime
import io
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_to_bytes

from .errors import AwsError
from .http11 import Response

ACCOUNT = "123456789012"
PARTITION = "aws"
_DROPPED = {"connection", "transfer-encoding", "content-length", "date", "server"}


class Moto:
    """The WSGI application of moto's server, called in threads."""

    def __init__(self, clock, store):
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        import moto.core.utils
        moto.core.utils.utcnow = clock.utcnow
        from moto.s3 import models
        from moto.server import DomainDispatcherApplication, create_backend_app
        self._app = DomainDispatcherApplication(create_backend_app)
        self._threads = ThreadPoolExecutor(16, "moto")
        self.buckets = Buckets(models.s3_backends[ACCOUNT][PARTITION], store)
        _share_objects(models, store)
        _date_buckets(models, clock)

    async def call(self, loop, request, path=None):
        """moto's answer to a request; `path` replaces the raw path (virtual hosts)."""
        return await loop.run_in_executor(self._threads, self._run, request, path or request.path)

    def _run(self, request, path):
        collected = {}

        def start_response(status, headers, exc_info=None):
            collected["status"], collected["headers"] = int(status.split(" ", 1)[0]), headers

        chunks = self._app(_environ(request, path), start_response)
        body = b"".join(chunks)
        getattr(chunks, "close", lambda: None)()
        headers = [(name, value) for name, value in collected["headers"] if name.lower() not in _DROPPED]
        return Response(collected["status"], headers, body)


def _environ(request, path):
    environ = {
        "REQUEST_METHOD": request.method, "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "RAW_URI": path + ("?" + request.query if request.query else ""), "QUERY_STRING": request.query,
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    # A virtual host was already turned into a path.
    environ["HTTP_HOST"] = "127.0.0.1"
    environ["CONTENT_TYPE"] = request.headers.get("content-type", "")
    environ["CONTENT_LENGTH"] = str(len(request.body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


class Buckets:
    """Which buckets there are, by moto's S3 backend."""

    def __init__(self, backend, store):
        self._backend, self._store = backend, store

    def find(self, name):
        return self._backend.buckets.get(name)

    def names(self):
        return list(self._backend.buckets)

    def require(self, name):
        bucket = self._backend.buckets.get(name)
        if bucket is None:
            raise AwsError(404, "NoSuchBucket", "The specified bucket does not exist", {"BucketName": name})
        return bucket


def _share_objects(models, store):
    """moto's own readers (Lambda code, templates by URL) see the store's objects, and full buckets stay."""
    backend = models.S3Backend
    original_get, original_delete = backend.get_object, backend.delete_bucket

    def get_object(self, bucket_name, key_name, *args, **kwargs):
        stored = store.get(bucket_name, key_name)
        if stored is None:
            return original_get(self, bucket_name, key_name, *args, **kwargs)
        key = models.FakeKey(key_name, stored.data, self.account_id, "us-east-1", bucket_name=bucket_name, etag=stored.etag.strip('"'))
        key.set_metadata(dict(stored.headers), replace=True)
        return key

    def delete_bucket(self, bucket_name):
        if bucket_name in self.buckets and not store.is_empty(bucket_name):
            return None
        deleted = original_delete(self, bucket_name)
        store.drop(bucket_name)
        return deleted

    backend.get_object, backend.delete_bucket = get_object, delete_bucket


def _date_buckets(models, clock):
    """A bucket's creation date is the one time in moto's S3 that is not taken from `utcnow`."""
    original = models.S3Backend.create_bucket

    def create_bucket(self, *args, **kwargs):
        bucket = original(self, *args, **kwargs)
        bucket.creation_date = clock.utcnow().replace(tzinfo=datetime.timezone.utc)
        return bucket

    models.S3Backend.create_bucket = create_bucket
