"""How often something may happen: a bucket of tokens for each of those that share a limit.

Rule: memory is bounded whatever keys come; a key that has rested long enough is as good as new.
"""

import time
from collections.abc import Callable

import attrs

KEYS_KEPT = 10_000
"""Keys that one limit remembers; beyond that, those that have been silent longest are forgotten."""

ROUNDING = 1e-6
"""What sums of fractions may be off by: whoever waited as long as was told is let in."""


@attrs.define
class _Bucket:
    """What may still be taken, as of `at` seconds; below zero it is owed."""

    left: float
    at: float


class Rate:
    """One limit: `per_second` on average, and `burst` at once after a rest."""

    def __init__(
        self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = max(1.0, burst)
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def wait_seconds(self, key: str) -> float:
        """Return how long `key` has to wait for its next one; 0 when it need not."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0.0
        left = self._left(bucket, self._clock())
        return 0.0 if left >= 1 - ROUNDING else (1 - left) / self._per_second

    def take(self, key: str, count: int = 1) -> None:
        """Count so many of `key`, whether or not there is enough left: the rest is owed."""
        now = self._clock()
        bucket = self._buckets.pop(key, None)
        left = self._burst if bucket is None else self._left(bucket, now)
        if len(self._buckets) >= KEYS_KEPT:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = _Bucket(left - count, now)  # at the end: the last one used

    def _left(self, bucket: _Bucket, now: float) -> float:
        return min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
