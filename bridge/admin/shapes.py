"""What several handlers show or check alike: names and times."""

from datetime import UTC, datetime, timedelta

from bridge.codec import from_micros, to_micros
from bridge.core.errors import OperatorError

NAME_CHARACTERS = 200
"""Longest name of an organization, workspace, folder, connection or token."""


def checked_name(name: str) -> str:
    """Return a name without white space around it. Raises OperatorError BRG-NAME-INVALID."""
    shown = name.strip()
    if not 0 < len(shown) <= NAME_CHARACTERS or not shown.isprintable():
        raise OperatorError(
            "BRG-NAME-INVALID",
            f"A name has 1 to {NAME_CHARACTERS} printable characters.",
            "Choose another name.",
        )
    return shown


def expiry(days: int | None) -> int | None:
    """Return when something ends that is good for so many days (microseconds UTC), or None."""
    if days is None:
        return None
    return to_micros(datetime.now(UTC) + timedelta(days=days))


def time_of(micros: int) -> str:
    """Return a time of the journal (microseconds since 1970 UTC) as RFC 3339 text."""
    return from_micros(micros).isoformat()


def time_or_none(micros: int | None) -> str | None:
    """Return a time that may not have come as RFC 3339 text, or None."""
    return None if micros is None else time_of(micros)
