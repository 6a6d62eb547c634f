"""A function's code: where it comes from, what Lambda refuses, and how it lies on disk for the runtime.

Errors are moto's, because moto's models call this too, for CloudFormation.
"""
import base64
import binascii
import hashlib
import io
import os
import stat
import zipfile
from pathlib import Path

ZIP_MOST = 50 * 1024 * 1024
UNZIPPED_MOST = 262144000
REQUEST_MOST = 70167211
_GARBAGE = "Could not unzip uploaded file. Please check your file, then try to upload again."


def _invalid(message):
    from moto.awslambda.exceptions import InvalidParameterValueException
    return InvalidParameterValueException(message)


def _s3_error(code, message):
    return _invalid(f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}")


class Sources:
    """Reads the code that a request names: the zip itself, or an object of this cloud's S3."""

    def __init__(self, store, buckets):
        self._store, self._buckets = store, buckets

    def read(self, spec, region):
        """The bytes of a zip that Lambda would take."""
        if spec.get("ZipFile") is not None:
            data = _decoded(spec["ZipFile"])
        elif spec.get("S3Bucket") and spec.get("S3Key"):
            data = self._from_s3(spec["S3Bucket"], spec["S3Key"], region)
        else:
            raise _invalid("Please provide a source for function code.")
        check(data)
        return data

    def _from_s3(self, bucket, key, region):
        found = self._buckets.find(bucket)
        if found is None:
            raise _s3_error("NoSuchBucket", "The specified bucket does not exist")
        where = getattr(found, "region_name", region) or region
        if where != region:
            raise _s3_error("PermanentRedirect", f"The bucket is in this region: {where}. Please use this region to retry the request")
        stored = self._store.get(bucket, key)
        if stored is None:
            raise _s3_error("NoSuchKey", "The specified key does not exist.")
        return bytes(stored.data)


def _decoded(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _invalid(_GARBAGE) from None


def check(data):
    try:
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise _invalid(_GARBAGE) from None
    if not entries:
        raise _invalid("Uploaded file must be a non-empty zip")
    if sum(e.file_size for e in entries) > UNZIPPED_MOST:
        raise _invalid(f"Unzipped size must be smaller than {UNZIPPED_MOST} bytes")


def sha256(data):
    """As CodeSha256 spells it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def pack(files):
    """A zip of {name: text or bytes} that everybody may read; its bytes depend on its content alone."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return made.getvalue()


def unpack(data, folder):
    """Extract, with the modes of the archive. Returns the names that others may not read: Lambda runs as another user
    than the one that owns the code, which a test that runs as root would never notice."""
    folder, closed = Path(folder), []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            target = (folder / info.filename).resolve()
            if not target.is_relative_to(folder.resolve()):
                continue
            archive.extract(info, folder)
            mode = stat.S_IMODE(info.external_attr >> 16) if info.create_system == 3 else 0
            if mode and not info.is_dir():
                os.chmod(target, mode | 0o600)
                if not mode & 0o004:
                    closed.append(info.filename)
    return closed
