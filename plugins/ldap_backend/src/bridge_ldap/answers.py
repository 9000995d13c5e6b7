"""What goes over the wire and comes back, as values; and the numbers that name what servers offer.

Rule: values only; who asked decides what they mean.
"""

from typing import Literal

import attrs

from bridge_ldap.mapping import Entry, Values

ANY_ENTRY = "(objectClass=*)"
NO_ATTRIBUTES = ("1.1",)  # RFC 4511 4.5.1.8

ASSERTION = "1.3.6.1.1.12"  # RFC 4528
POST_READ = "1.3.6.1.1.13.2"  # RFC 4527
PASSWORD_MODIFY = "1.3.6.1.4.1.4203.1.11.1"  # noqa: S105 - RFC 3062
WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"  # RFC 4532
PAGED_RESULTS = "1.2.840.113556.1.4.319"  # RFC 2696

Modification = tuple[Literal["add", "delete", "replace"], str, Values]
"""One change to an attribute in a modify; `replace` with no values removes the attribute."""


@attrs.frozen
class Reply:
    """What a server said: `shown` is what a post-read control holds, `cookie` a page's, if any.

    `is_referred`: a part of what was searched for is on another server.
    """

    code: int
    message: str = ""
    entries: tuple[Entry, ...] = ()
    is_referred: bool = False
    cookie: bytes = b""
    shown: Entry | None = None


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
