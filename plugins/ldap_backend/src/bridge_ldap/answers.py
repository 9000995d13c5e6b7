"""What the wire brings back, as values.

Rule: values only; who asked decides what they mean.
"""

import attrs

from bridge_ldap.mapping import Entry, Values


@attrs.frozen
class Answer:
    """A result code of 0 or one that was expected; `entry` is what a post-read showed."""

    code: int
    message: str = ""
    entry: Entry | None = None


@attrs.frozen
class Page:
    """A page of a search: `cookie` is empty on the last one.

    `cut_short` says why the server has not shown all (a limit, a referral, a base that is absent).
    """

    entries: tuple[Entry, ...]
    cookie: bytes = b""
    cut_short: str = ""


@attrs.frozen
class RootDse:
    """What the server says of itself (RFC 4512 5.1)."""

    controls: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()
    naming_contexts: Values = ()
    subschema: str = ""
