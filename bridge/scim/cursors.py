"""Cursors (RFC 9865): where a page ended, handed to the client, so that nothing is kept here.

A cursor is a sealed `Mark`. Only this installation can make or read one, and it leads on only
under the question, and for the organization, that it came from. Its characters need no escaping
in an address (RFC 3986 section 2.3), and no name of a person can be read in it.

Rule: a cursor that is not understood is refused; it never means "from the start".
"""

import time
from collections.abc import Sequence
from hashlib import sha256

import attrs
import msgspec

from bridge.core.errors import ExpiredCursor, InvalidCursor
from bridge.core.secret import Secret
from bridge.journal.queries import Place
from bridge.scim.queries import Query
from bridge.sealing import CURSORS, CannotOpen, Sealed, Sealer


@attrs.frozen
class Mark:
    """Where to go on: behind a place among the resources of one type, or in front of it.

    `total` is how many resources matched when the first page was read.
    """

    type: str
    place: Place | None = None
    total: int = 0
    backward: bool = False


class Cursors:
    """Writes and reads cursors; each is good for `lasting_seconds`."""

    def __init__(self, sealer: Sealer, lasting_seconds: int) -> None:
        self._sealer = sealer.for_use(CURSORS)
        self._lasting_seconds = lasting_seconds

    def write(self, question: str, mark: Mark) -> str:
        """Return the cursor of a mark under a question."""
        place = None if mark.place is None else (mark.place.key, mark.place.id)
        content = (question, int(time.time()), mark.type, place, mark.total, mark.backward)
        sealed = self._sealer.seal(Secret(msgspec.json.encode(content).decode()))
        return sealed.reveal().rstrip("=")

    def read(self, question: str, cursor: str) -> Mark:
        """Return the mark of a cursor. Raises InvalidCursor, ExpiredCursor."""
        padded = cursor + "=" * (-len(cursor) % 4)
        try:
            opened = self._sealer.open(Sealed(padded))
        except CannotOpen:
            raise InvalidCursor(
                "The cursor is none of ours. Send back nextCursor or previousCursor of a page as "
                "it is, or an empty cursor for the first page."
            ) from None
        asked, at, type_, place, total, backward = msgspec.json.decode(opened.reveal())
        if asked != question:
            raise InvalidCursor("The cursor belongs to another question; begin with an empty one.")
        if time.time() - at > self._lasting_seconds:
            age = f"older than {self._lasting_seconds} seconds"
            raise ExpiredCursor(f"The cursor is {age}; begin with an empty one.")
        return Mark(type_, Place(*place) if place else None, total, backward)


def question(organization: str, types: Sequence[str], query: Query) -> str:
    """Return what a cursor belongs to: who asks for what, in which order. Page sizes may differ."""
    asked = (organization, types, query.filter, query.sort_by, query.descending)
    return sha256(msgspec.json.encode(asked)).hexdigest()[:32]
