"""Listing a whole target, page by page, and looking at single entries meanwhile.

Each has a connection of its own: a directory forgets how far a paged search has come when another
one begins on the same connection.

Rule: a page that cannot be read is tried again on a new connection, and a listing that is not
complete says why.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol, runtime_checkable

import attrs

from bridge.core.backend import Backend, Found, Observer, Scanner, ScanPage
from bridge.core.errors import BackendDown, NotApplied, OperatorError
from bridge.core.resources import Attributes
from bridge.core.schema import ResourceType, normalize
from bridge.hosting import HostedBackend

FAILURES = 4
"""Pages that may fail in one listing; the next one ends it, incomplete. Each may begin it anew."""

PAUSE_SECONDS = 1.0
"""How long to wait before a page is asked for again."""


@runtime_checkable
class Looking(Backend, Observer, Protocol):
    """A backend that looks."""


@attrs.define
class Listing:
    """One walk through what a target holds.

    `incomplete` are the reasons why something may be missing, known in full at the end.
    """

    hosted: HostedBackend
    incomplete: list[str] = attrs.field(factory=list)
    _failures: int = 0
    _listing: Backend | None = None
    _looking: Looking | None = None

    @property
    def looking(self) -> Looking:
        """The backend to look at single entries and to plan with; raises BackendDown."""
        if self._looking is None:
            backend = self.hosted.open()
            if not isinstance(backend, Looking):
                raise cannot_list(self.hosted)
            self._looking = backend
        return self._looking

    def pages(self) -> Iterator[tuple[Found, ...]]:
        """Yield page after page; what was listed may come again where a page had to be repeated.

        Raises BackendDown where not even the first page can be read.
        """
        cursor: str | None = None
        while True:
            page = self._page(cursor)
            if page is None:
                return
            if page.incomplete:
                self.incomplete.append(page.incomplete)
            yield page.entries
            if (cursor := page.next_cursor) is None:
                return

    def close(self) -> None:
        """Release the connections."""
        self._drop()
        backend, self._looking = self._looking, None
        if backend is not None:
            backend.close()

    def _page(self, cursor: str | None) -> ScanPage | None:
        while True:
            try:
                return self._scanner().scan(cursor)
            except NotApplied as error:
                self._failures += 1
                self._drop()
                if self._failures > FAILURES:
                    if cursor is None:
                        raise BackendDown(error.reason) from error
                    self.incomplete.append(error.reason)
                    return None
                time.sleep(PAUSE_SECONDS)

    def _scanner(self) -> Scanner:
        if self._listing is None:
            self._listing = self.hosted.open()
        if not isinstance(self._listing, Scanner):
            raise cannot_list(self.hosted)
        return self._listing

    def _drop(self) -> None:
        backend, self._listing = self._listing, None
        if backend is not None:
            with suppress(Exception):
                backend.close()


def understood(rtype: ResourceType, attributes: Attributes) -> Attributes:
    """Return what a target says as a document of that type; raises ScimError where it is none."""
    urns = [extension.schema.id for extension in rtype.extensions]
    used = [rtype.schema.id, *(urn for urn in urns if urn in attributes)]
    return normalize(rtype, {"schemas": used, **attributes}).attributes


def cannot_list(hosted: HostedBackend) -> OperatorError:
    """Return the error for a backend that cannot show what its target holds."""
    return OperatorError(
        "BRG-SCAN-NOT",
        f"A backend of type {hosted.type.name} cannot list what its target holds.",
        "Import from, and reconcile, a directory or a database.",
    )
