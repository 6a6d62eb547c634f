"""Objects and multipart uploads. Buckets themselves live in moto, so that CloudFormation can make them.

moto keeps a SpooledTemporaryFile, a lock and three dictionaries for every object; a site of 100,000 objects needs less.
Every method runs on the event loop's thread and never awaits: that is the lock which makes conditional writes atomic.
"""
import bisect
import hashlib
import secrets


class StoredObject:
    __slots__ = ("data", "etag", "headers", "modified", "checksums")

    def __init__(self, data, etag, headers, modified, checksums=()):
        self.data, self.etag, self.headers = data, etag, headers
        self.modified, self.checksums = modified, checksums


class Upload:
    """A multipart upload that is neither completed nor aborted."""

    def __init__(self, bucket, key, headers, initiated):
        self.id = secrets.token_urlsafe(48)
        self.bucket, self.key, self.headers, self.initiated = bucket, key, headers, initiated
        self.parts = {}


class Shelf:
    """The objects of one bucket, with their names in order when somebody lists them."""

    def __init__(self):
        self.objects = {}
        self._sorted = []
        self._new = []
        self._removed = False

    def put(self, key, value):
        if key not in self.objects:
            self._new.append(key)
        self.objects[key] = value

    def delete(self, key):
        if self.objects.pop(key, None) is not None:
            self._removed = True

    def names(self):
        """All keys in order. Code points order as UTF-8 bytes do."""
        if self._removed:
            self._sorted, self._new, self._removed = sorted(self.objects), [], False
        elif self._new:
            self._sorted += self._new
            self._sorted.sort()
            self._new = []
        return self._sorted

    def starting(self, prefix, after=None):
        """Keys with `prefix`, those greater than `after` only, lazily."""
        names = self.names()
        start = bisect.bisect_left(names, prefix)
        if after is not None:
            start = max(start, bisect.bisect_right(names, after))
        for index in range(start, len(names)):
            if not names[index].startswith(prefix):
                return
            yield names[index]


class Store:
    def __init__(self, clock):
        self.clock = clock
        self.shelves = {}
        self.uploads = {}
        self._interned = {}

    def shelf(self, bucket):
        shelf = self.shelves.get(bucket)
        if shelf is None:
            shelf = self.shelves[bucket] = Shelf()
        return shelf

    def drop(self, bucket):
        """Forget a deleted bucket."""
        self.shelves.pop(bucket, None)
        for upload in [u for u in self.uploads.values() if u.bucket == bucket]:
            del self.uploads[upload.id]

    def is_empty(self, bucket):
        return bucket not in self.shelves or not self.shelves[bucket].objects

    def get(self, bucket, key):
        shelf = self.shelves.get(bucket)
        return shelf.objects.get(key) if shelf else None

    def put(self, bucket, key, data, headers, checksums=(), etag=None):
        """Store bytes; headers are shared between objects that have the same ones."""
        headers = self._interned.setdefault(headers, headers)
        stored = StoredObject(data, etag or f'"{hashlib.md5(data).hexdigest()}"', headers, self.clock.now(), checksums)
        self.shelf(bucket).put(key, stored)
        return stored

    def delete(self, bucket, key):
        if bucket in self.shelves:
            self.shelves[bucket].delete(key)

    def start_upload(self, bucket, key, headers):
        upload = Upload(bucket, key, headers, self.clock.now())
        self.uploads[upload.id] = upload
        return upload

    def uploads_of(self, bucket):
        return sorted((u for u in self.uploads.values() if u.bucket == bucket), key=lambda u: (u.key, u.initiated))
