"""Subjects of grants: the groups and users that identity providers have sent.

Rule: nothing here changes one; only its identity provider does.
"""

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import ColumnElement, bindparam, func, select

from bridge.core.errors import OperatorError
from bridge.core.schema.keys import name_key
from bridge.journal.documents import text_at
from bridge.journal.marking import USER
from bridge.journal.statements import ZERO, prepared
from bridge.journal.store import Reader
from bridge.journal.tables import resource as _r

_ORGANIZATION: ColumnElement[str] = bindparam("organization")
_NAME = func.coalesce(text_at(_r.c.document, "userName"), text_at(_r.c.document, "displayName"))
_subjects = select(
    *(_r.c.id, _r.c.type, _NAME, _r.c.name_key, _r.c.external_id, _r.c.active, _r.c.last_modified)
).where(
    _r.c.organization == _ORGANIZATION,
    _r.c.type == bindparam("type"),
    _r.c.deleted == ZERO,
)
_PAGE = prepared(
    _subjects.where(_r.c.name_key > bindparam("after"))
    .order_by(_r.c.name_key)
    .limit(bindparam("count"))
)
_OF_ID = prepared(_subjects.where(_r.c.id == bindparam("id")))
_NAMED = prepared(_subjects.where(_r.c.name_key == bindparam("name_key")))


@attrs.frozen
class Subject:
    """A group (`name` is its displayName, `active` None) or a user (userName).

    `key` is the name in comparable form; `last_modified` is microseconds since 1970 UTC.
    """

    id: str
    type: str
    name: str
    key: str
    external_id: str | None
    active: bool | None
    last_modified: int


def every(reader: Reader, organization: str, type_: str, after: str, count: int) -> list[Subject]:
    """Return up to `count` groups or users by the key of their name, from after key `after`."""
    rows = reader.rows(_PAGE, organization=organization, type=type_, after=after, count=count)
    return [_subject(row) for row in rows]


def find(reader: Reader, organization: str, type_: str, named: str) -> Subject:
    """Return the group or user of this id, or else of this name in any case.

    Raises OperatorError BRG-SUBJECT-UNKNOWN.
    """
    place = {"organization": organization, "type": type_}
    row = reader.row(_OF_ID, **place, id=named)
    row = row or reader.row(_NAMED, **place, name_key=name_key(named))
    if row is None:
        raise _unknown(type_, named)
    return _subject(row)


def _unknown(type_: str, named: str) -> OperatorError:
    return OperatorError(
        "BRG-SUBJECT-UNKNOWN",
        f"There is no {type_.lower()} {named}.",
        "Have the identity provider push it first, then name it by its id.",
    )


def _subject(row: Sequence[Any]) -> Subject:
    id_, type_, name, key, external_id, active, modified = row
    shown = active != 0 if type_ == USER else None
    return Subject(id_, type_, name, key, external_id, shown, modified)
