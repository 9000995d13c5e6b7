"""The door of an account: a refused bind is not repeated until it may be welcome again.

A directory counts refused binds and locks the account after a few. A backend has several slots,
each with a connection of its own, and all would try.

Rule: of one account one bind is under way at a time, and a refused one keeps every other away for
REFUSED_SECONDS.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.plugin import BackendDown
from bridge_ldap.results import Code
from bridge_ldap.settings import Settings

REFUSED_SECONDS = 300.0
"""How long after refused credentials the next bind is tried."""

_LOCKING = (Code.INVALID_CREDENTIALS, Code.INAPPROPRIATE_AUTHENTICATION)


class Door:
    """What is known of one account's binds in this process."""

    def __init__(self, wait_seconds: float) -> None:
        self._lock = threading.Lock()
        self._wait_seconds = wait_seconds
        self._refused_at = float("-inf")
        self._why = ""

    @contextmanager
    def ajar(self) -> Iterator[None]:
        """Bind inside. Raises BackendDown while a refusal is remembered, or another bind hangs."""
        if not self._lock.acquire(timeout=self._wait_seconds):
            raise BackendDown("another bind of the same account gets no answer")
        try:
            left = self._refused_at + REFUSED_SECONDS - time.monotonic()
            if left > 0:
                raise BackendDown(f"{self._why}; not tried again for {left:.0f} s", left)
            yield
        finally:
            self._lock.release()

    def refused(self, code: int, why: str) -> BackendDown:
        """Note a refused bind and return what it means; call it inside `ajar`."""
        if code not in _LOCKING:
            return BackendDown(why)
        self._refused_at, self._why = time.monotonic(), why
        return BackendDown(why, REFUSED_SECONDS)


_DOORS: dict[tuple[object, ...], Door] = {}
_TABLE = threading.Lock()


def door_of(settings: Settings) -> Door:
    """Return the door of these settings' account: one for all connections of this process."""
    proof = settings.bind_password.reveal() if settings.bind_password else ""
    key = (settings.uris, settings.bind_dn, settings.certificate_file, hash(proof))
    with _TABLE:
        return _DOORS.setdefault(key, Door(settings.connect_seconds))
