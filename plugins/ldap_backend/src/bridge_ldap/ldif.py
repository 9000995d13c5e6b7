"""LDIF, the text in which a plan is read (RFC 2849).

Rule: what is printed can be fed to ldapmodify, except where a secret is shown as `***`.
"""

import base64
from collections.abc import Iterable

from bridge.plugin import Secret

Value = str | Secret

_UNSAFE_FIRST = " :<"


def record(dn: str, *lines: str) -> str:
    """Return one LDIF record; it ends with a newline so that records part with a blank line."""
    return "\n".join((line("dn", dn), *lines)) + "\n"


def line(name: str, value: Value) -> str:
    """Return `name: value`, in base64 where LDIF needs it (RFC 2849, SAFE-STRING)."""
    if isinstance(value, Secret):
        return f"{name}: {value}"
    if _is_safe(value):
        return f"{name}: {value}" if value else f"{name}:"
    encoded = base64.b64encode(value.encode("utf-8", errors="surrogateescape")).decode()
    return f"{name}:: {encoded}"


def change(kind: str, name: str, values: Iterable[Value]) -> tuple[str, ...]:
    """Return the lines of one `add`, `delete` or `replace` inside a modify record."""
    return (f"{kind}: {name}", *(line(name, value) for value in values), "-")


def _is_safe(value: str) -> bool:
    return (
        value.isascii()
        and value.isprintable()  # no line ends, and nothing that would move a terminal
        and value[:1] not in (*_UNSAFE_FIRST,)
        and not value.endswith(" ")
    )
