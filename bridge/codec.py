"""Values as text and numbers: JSON documents, times, and the row form of a change record.

Rule: `decode(encode(x)) == x`, and `change_of(change_row(c)) == c`, for all that is stored.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from bridge.core.access import Access, AccessDelta, AccessState, Level
from bridge.core.changes import Cause, ChangeRecord, MemberDelta
from bridge.core.resources import Attributes, Entity, Member

CHANGE_COLUMNS = (
    "organization",
    "entity",
    "version",
    "type",
    "before",
    "after",
    "added",
    "removed",
    "granted",
    "revoked",
    "actor",
    "request_id",
    "at",
)
"""The columns of a change row that `change_row` fills and `change_of` reads, in this order."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode(value: Any) -> str:
    """Return `value` as compact JSON text; the order of keys is kept."""
    return _encode(value).decode()


def decode(text: str | bytes) -> Any:
    """Return the value of a JSON text. Raises ValueError where it is none."""
    return _decode(text)


def to_micros(at: datetime) -> int:
    """Return a UTC time as whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the UTC time that is `micros` microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def change_row(change: ChangeRecord) -> dict[str, Any]:
    """Return the columns of a change record.

    An update's `before` keeps only the top-level attributes that differ, null where there was
    none: a rename in a large document costs the name, not the document twice.
    """
    before: Mapping[str, Any] | None = change.before
    if before is not None and change.after is not None:
        was = before
        before = {name: was.get(name) for name in sorted(change.changed)}
    return {
        "organization": change.entity.organization,
        "entity": change.entity.id,
        "version": change.version,
        "type": change.entity.type,
        "before": None if before is None else encode(before),
        "after": None if change.after is None else encode(change.after),
        "added": _members_text(change.members.added),
        "removed": _members_text(change.members.removed),
        "granted": _access_text(change.access.granted),
        "revoked": _access_text(change.access.revoked),
        "actor": change.cause.actor,
        "request_id": change.cause.request_id,
        "at": to_micros(change.cause.at),
    }


def change_of(row: Sequence[Any]) -> ChangeRecord:
    """Return the change record of a row that holds CHANGE_COLUMNS in order."""
    organization, entity, version, type_, before, after, *deltas, actor, request, at = row
    added, removed, granted, revoked = deltas
    document: Attributes | None = None if after is None else decode(after)
    return ChangeRecord(
        entity=Entity(organization, type_, entity),
        version=version,
        before=None if before is None else _rebuilt(decode(before), document),
        after=document,
        members=MemberDelta(_members(added), _members(removed)),
        cause=Cause(actor, request, from_micros(at)),
        access=AccessDelta(_accesses(granted), _accesses(revoked)),
    )


def _rebuilt(differing: dict[str, Any], after: Attributes | None) -> Attributes:
    if after is None:
        return differing
    return {name: value for name, value in {**after, **differing}.items() if value is not None}


def _members_text(members: tuple[Member, ...]) -> str | None:
    return encode([(member.id, member.type) for member in members]) if members else None


def _members(text: str | None) -> tuple[Member, ...]:
    return tuple(Member(*pair) for pair in decode(text)) if text else ()


def _access_text(accesses: tuple[Access, ...]) -> str | None:
    return encode([(one.user, one.level, one.state) for one in accesses]) if accesses else None


def _accesses(text: str | None) -> tuple[Access, ...]:
    rows = decode(text) if text else ()
    return tuple(Access(user, Level(level), AccessState(state)) for user, level, state in rows)
