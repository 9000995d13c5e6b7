"""Listing a whole target, page by page, on a connection of its own.

Rule: a page that cannot be read is tried again on a new connection, and a listing that is not
complete says why.
"""

import time
from collections.abc import Iterator
from contextlib import suppress

import attrs

from bridge.core.backend import Backend, Found, Observer, Scanner
from bridge.core.errors import BackendDown, NotApplied, OperatorError
from bridge.core.resources import Attributes
from bridge.core.schema import ResourceType, normalize
from bridge.hosting import HostedBackend

PAGE_TRIES = 3
"""How often a page is asked for before the listing ends incomplete."""

PAGE_PAUSE_SECONDS = 1.0
"""How long to wait before a page is asked for again."""


@attrs.define
class Listing:
    """One walk through what a target holds.

    `incomplete` are the reasons why something may be missing, known in full at the end.
    """

    hosted: HostedBackend
    incomplete: list[str] = attrs.field(factory=list)
    _backend: Backend | None = None

    @property
    def backend(self) -> Backend:
        """The backend, to plan and to observe with; raises BackendDown."""
        if self._backend is None:
            self._backend = self.hosted.open()
        return self._backend

    @property
    def observer(self) -> Observer:
        """The same as one that looks."""
        backend = self.backend
        if not isinstance(backend, Observer):
            raise cannot_list(self.hosted)
        return backend

    def pages(self) -> Iterator[tuple[Found, ...]]:
        """Yield page after page. Raises BackendDown where not even the first can be read."""
        cursor: str | None = None
        first = True
        while first or cursor is not None:
            scanner = self.backend
            if not isinstance(scanner, Scanner):
                raise cannot_list(self.hosted)
            page = self._page(cursor, first=first)
            if page is None:
                return
            entries, cursor = page
            first = False
            yield entries

    def close(self) -> None:
        """Release the connection."""
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def _page(
        self, cursor: str | None, *, first: bool
    ) -> tuple[tuple[Found, ...], str | None] | None:
        for left in reversed(range(PAGE_TRIES)):
            backend = self.backend
            try:
                if isinstance(backend, Scanner):
                    page = backend.scan(cursor)
                    if page.incomplete:
                        self.incomplete.append(page.incomplete)
                    return page.entries, page.next_cursor
            except NotApplied as error:
                with suppress(Exception):
                    self.close()
                if not left:
                    if first:
                        raise BackendDown(error.reason) from error
                    self.incomplete.append(error.reason)
                    return None
                time.sleep(PAGE_PAUSE_SECONDS)
        return None


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
