"""How many requests a caller may send: a bucket of tokens per connection and per organization.

Rule: a refusal says in whole seconds when to come back; Okta waits five minutes otherwise.
"""

import math
import time
from collections.abc import Callable

import attrs

from bridge.auth.tokens import Caller
from bridge.core.errors import TooManyRequests

BURST_SECONDS = 10.0
"""A caller that was silent may send what the rate allows in this time at once."""

ROUNDING = 1e-6
"""What sums of fractions may be off by: whoever waited as long as was told is let in."""


@attrs.define
class _Bucket:
    """Requests that may still be sent, as of `at` seconds."""

    left: float
    at: float


class Rate:
    """One limit, for each of those that share it."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * BURST_SECONDS)
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def wait_seconds(self, key: str) -> float:
        """Count one request of `key`; return 0, or how long it has to wait (it is not counted)."""
        now = self._clock()
        bucket = self._buckets.setdefault(key, _Bucket(self._most, now))
        bucket.left = min(self._most, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.left < 1 - ROUNDING:
            return (1 - bucket.left) / self._per_second
        bucket.left -= 1
        return 0.0


class Rates:
    """The limits of the endpoint; a rate of 0 is none. Only known callers are ever counted."""

    def __init__(
        self,
        connection: float,
        organization: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = Rate(connection, clock) if connection else None
        self._organization = Rate(organization, clock) if organization else None

    def count(self, caller: Caller) -> None:
        """Count one request; raises TooManyRequests when it is one too many."""
        for name, rate, key in (
            ("connection_rate", self._connection, caller.connection),
            ("organization_rate", self._organization, caller.organization),
        ):
            wait = rate.wait_seconds(key) if rate else 0.0
            if wait:
                raise TooManyRequests(
                    f"Too many requests: {name} is exceeded. Try again later.",
                    math.ceil(wait),
                )
