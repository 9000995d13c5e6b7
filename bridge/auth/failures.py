"""Failed authentications: how many an address may send before its guesses are no longer looked at.

Rule: whoever was known a moment ago is let in; others behind the same address do not lock it out.
"""

import math
import time
from collections.abc import Callable

from bridge.auth.rates import Rate
from bridge.core.errors import TooManyRequests

MINUTE_SECONDS = 60.0


class Failures:
    """The failed authentications of each client address: `per_minute`, at once or spread out."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`per_minute` 0 sets no limit."""
        self._rate = Rate(per_minute / MINUTE_SECONDS, per_minute, clock) if per_minute else None

    def check(self, address: str) -> None:
        """Raise TooManyRequests when the address has used up its failures."""
        if self._rate is not None and (wait := self._rate.wait_seconds(address)):
            raise TooManyRequests(
                "Too many requests without a valid access token came from this address: "
                "authentication_failures is exceeded. Correct the token, then try again.",
                math.ceil(wait),
            )

    def count(self, address: str) -> None:
        """Count one failure."""
        if self._rate is not None:
            self._rate.take(address)
