"""The one clock of the local cloud. Tests move it; nothing else reads the time of day."""
import datetime
import time
from email.utils import formatdate, parsedate_to_datetime


class Clock:
    def __init__(self):
        self.offset = 0.0
        self.check_skew = True

    def now(self):
        """Seconds since the epoch, as this cloud believes."""
        return time.time() + self.offset

    def advance(self, seconds):
        self.offset += seconds

    def utcnow(self):
        """A naive UTC datetime: what moto's models expect."""
        return datetime.datetime.fromtimestamp(self.now(), datetime.timezone.utc).replace(tzinfo=None)


def http_date(seconds):
    return formatdate(seconds, usegmt=True)


def parse_http_date(text):
    """Seconds since the epoch, or None for anything that is no date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def iso_date(seconds, millis=True):
    """ISO 8601 as S3 (with .000) and the other services (without) print it."""
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z" if millis else "%Y-%m-%dT%H:%M:%SZ")


def parse_amz_date(text):
    """`20261124T001500Z` to seconds, or None."""
    try:
        moment = datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ")
    except ValueError:
        return None
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def amz_date(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
