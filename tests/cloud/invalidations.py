"""Invalidations: validation, idempotency, quotas, progress."""
import secrets
from dataclasses import dataclass

from .cloudfront_paths import Cover, valid_pattern
from .errors import AwsError

MAX_PATHS, MAX_WILDCARDS = 3000, 15


@dataclass
class Invalidation:
    id: str
    reference: str
    paths: list
    created: float
    effective: float
    completed: float
    cover: Cover
    applied: bool = False


class Invalidations:
    """Creates invalidations on distributions. Times are settings that tests change."""

    def __init__(self, clock):
        self.clock = clock
        self.seconds_to_complete, self.seconds_to_effect = 1.0, 0.0

    def in_progress(self, distribution):
        now = self.clock.now()
        return [i for i in distribution.invalidations.values() if i.completed > now]

    def create(self, distribution, reference, paths, quantity, reuse_is_invalid):
        """The new invalidation, or the old one for the same reference and paths."""
        self._validate(reference, paths, quantity)
        old = next((i for i in distribution.invalidations.values() if i.reference == reference), None)
        if old is not None:
            if reuse_is_invalid:
                raise AwsError(400, "InvalidArgument", "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution.")
            if sorted(old.paths) == sorted(paths):
                return old
            raise AwsError(400, "InvalidationBatchAlreadyExists", "The invalidation batch already exists with the same caller reference and other paths.")
        self._check_quota(distribution, paths)
        now = self.clock.now()
        made = Invalidation("I" + secrets.token_hex(10).upper(), reference, paths, now,
                            now + self.seconds_to_effect, now + self.seconds_to_complete, Cover(paths))
        distribution.invalidations[made.id] = made
        return made

    @staticmethod
    def _validate(reference, paths, quantity):
        if not reference:
            raise AwsError(400, "InvalidArgument", "Your request must contain a caller reference.")
        if not paths:
            raise AwsError(400, "InvalidArgument", "Your request must contain at least one invalidation path.")
        if quantity != str(len(paths)):
            raise AwsError(400, "InconsistentQuantities", "The value of Quantity and the size of Items don't match.")
        if len(paths) > MAX_PATHS:
            raise AwsError(413, "BatchTooLarge", "Invalidation batch specified is too large.")
        if not all(map(valid_pattern, paths)):
            raise AwsError(400, "InvalidArgument", "Your request contains one or more invalid invalidation paths.")

    def _check_quota(self, distribution, paths):
        running = [p for i in self.in_progress(distribution) for p in i.paths]
        wildcards = sum(p.endswith("*") for p in running + paths)
        if wildcards > MAX_WILDCARDS and any(p.endswith("*") for p in paths):
            raise AwsError(400, "TooManyInvalidationsInProgress", "Processing your request will cause you to exceed the maximum number of in-progress wildcard invalidations.")
        if len(running) + len(paths) - wildcards > MAX_PATHS:
            raise AwsError(400, "TooManyInvalidationsInProgress", "Processing your request will cause you to exceed the maximum number of in-progress invalidations.")
