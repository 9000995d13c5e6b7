"""How many requests a caller may send, per connection and per organization.

Rule: a refusal says in whole seconds when to come back; Okta waits five minutes otherwise.
"""

import math
import time
from collections.abc import Callable

from bridge.auth.rates import Rate
from bridge.auth.tokens import Caller
from bridge.core.errors import TooManyRequests

BURST_SECONDS = 10.0
"""A caller that was silent may send what the rate allows in this time at once."""


class Rates:
    """The limits of the endpoint; a rate of 0 is none. Only known callers are ever counted."""

    def __init__(
        self,
        connection: float,
        organization: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        def rate(per_second: float) -> Rate | None:
            return Rate(per_second, per_second * BURST_SECONDS, clock) if per_second else None

        self._connection = rate(connection)
        self._organization = rate(organization)

    def count(self, caller: Caller) -> None:
        """Count one request; raises TooManyRequests when it is one too many."""
        for name, rate, key in self._of(caller):
            if wait := rate.wait_seconds(key):
                raise TooManyRequests(
                    f"Too many requests: {name} is exceeded. Try again later.",
                    math.ceil(wait),
                )
        self.charge(caller, 1)

    def charge(self, caller: Caller, requests: int) -> None:
        """Count what a request holds besides itself; the next ones wait for it."""
        for _, rate, key in self._of(caller):
            rate.take(key, requests)

    def _of(self, caller: Caller) -> list[tuple[str, Rate, str]]:
        limits = (
            ("connection_rate", self._connection, caller.connection),
            ("organization_rate", self._organization, caller.organization),
        )
        return [(name, rate, key) for name, rate, key in limits if rate is not None]
