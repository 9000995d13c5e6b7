"""What several handlers show alike: times."""

from datetime import UTC, datetime, timedelta

from bridge.codec import from_micros, to_micros


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
