"""Grants: a level on a workspace or an invite-only folder, given to a group or to one user.

A grant to a group is pushed access: it follows what the identity provider says of the group. One
to a user is given by hand and stays, whatever groups he comes into or leaves.

Rule: a grant and the marks of whom it reaches are one transaction.
"""

import uuid
from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import and_, bindparam, delete, func, select, update

from bridge.codec import to_micros
from bridge.core.access import Level
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.core.resources import Entity
from bridge.journal import marking, subjects, targets
from bridge.journal.documents import text_at
from bridge.journal.marking import USER
from bridge.journal.statements import insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import access_grant as _g
from bridge.journal.tables import resource as _r
from bridge.journal.targets import Target
from bridge.journal.tenants import audit

GRANTS = 1000
"""Grants on one target at most: all of them are looked at whenever one user's access is."""


@attrs.frozen
class Grant:
    """One grant; `name` is its subject's displayName or else userName, `created` microseconds."""

    id: str
    target: str
    subject: str
    subject_type: str
    name: str | None
    level: Level
    created: int
    actor: str

    @property
    def by_hand(self) -> bool:
        """True for a grant to one user, False for one that follows a pushed group."""
        return self.subject_type == USER


_shown = func.coalesce(text_at(_r.c.document, "displayName"), text_at(_r.c.document, "userName"))
_grants = (
    select(
        *(_g.c.id, _g.c.target, _g.c.subject, _g.c.subject_type, _shown),
        *(_g.c.level, _g.c.created, _g.c.actor),
    )
    .outerjoin(_r, and_(_r.c.organization == _g.c.organization, _r.c.id == _g.c.subject))
    .where(_g.c.organization == bindparam("organization"))
)
_ONE = prepared(_grants.where(_g.c.id == bindparam("id")))
_OF_PAIR = prepared(
    _grants.where(_g.c.target == bindparam("target"), _g.c.subject == bindparam("subject"))
)
_ALL = prepared(
    _grants.where(_g.c.id > bindparam("after")).order_by(_g.c.id).limit(bindparam("count"))
)
# Not by id: all that a target or a subject has is found by an index, and is not much.
_ON_TARGET = prepared(_grants.where(_g.c.target == bindparam("target")))
_OF_SUBJECT = prepared(_grants.where(_g.c.subject == bindparam("subject")))
_COUNT = prepared(
    select(func.count()).where(
        _g.c.organization == bindparam("organization"), _g.c.target == bindparam("target")
    )
)
_OF_ID = (_g.c.organization == bindparam("organization"), _g.c.id == bindparam("grant"))
_NEW = prepared(insert_into(_g))
_LEVEL = prepared(update(_g).where(*_OF_ID).values(level=bindparam("to")))
_DROP = prepared(delete(_g).where(*_OF_ID))


def find(reader: Reader, organization: str, grant_id: str) -> Grant:
    """Return a grant. Raises OperatorError BRG-GRANT-UNKNOWN."""
    row = reader.row(_ONE, organization=organization, id=grant_id)
    if row is None:
        raise OperatorError(
            "BRG-GRANT-UNKNOWN",
            f"There is no grant {grant_id}.",
            "Look it up with `bridge grant list`.",
        )
    return _grant(row)


def find_of(reader: Reader, organization: str, target_id: str, subject_id: str) -> Grant | None:
    """Return the grant of a subject on a target, or None."""
    row = reader.row(_OF_PAIR, organization=organization, target=target_id, subject=subject_id)
    return _grant(row) if row else None


def every(
    reader: Reader,
    organization: str,
    after: str,
    count: int,
    *,
    target: str | None = None,
    subject: str | None = None,
) -> list[Grant]:
    """Return up to `count` grants by id from after id `after`: of a target, a subject, or all."""
    if target is not None:
        rows = reader.rows(_ON_TARGET, organization=organization, target=target)
    elif subject is not None:
        rows = reader.rows(_OF_SUBJECT, organization=organization, subject=subject)
    else:
        rows = reader.rows(_ALL, organization=organization, after=after, count=count)
    found = (_grant(row) for row in rows if subject in (None, row[2]))
    return sorted((one for one in found if one.id > after), key=lambda one: one.id)[:count]


def give(
    tx: Transaction, organization: str, target: Target, subject: Entity, level: Level, cause: Cause
) -> Grant:
    """Grant a level on a target to a group or a user.

    Raises OperatorError: BRG-SUBJECT-UNKNOWN; BRG-GRANT-EXISTS (change its level instead);
    BRG-GRANT-LIMIT; BRG-FOLDER-TEAM for a folder that is not invite-only.
    """
    targets.hold(tx, organization, target)
    _refuse_team(targets.find(tx, organization, target.id))
    inside = marking.hold(tx, subject)
    subjects.find(tx, organization, subject.type, subject.id)
    if find_of(tx, organization, target.id, subject.id) is not None:
        raise OperatorError(
            "BRG-GRANT-EXISTS",
            f"That {subject.type.lower()} has a grant there already.",
            "Change the level of that grant, or take it first.",
        )
    if (found := tx.row(_COUNT, organization=organization, target=target.id)) and (
        found[0] >= GRANTS
    ):
        raise OperatorError(
            "BRG-GRANT-LIMIT",
            f"There are {GRANTS} grants on one target at most.",
            "Grant to a group that contains the others.",
        )
    grant_id = str(uuid.uuid4())
    tx.run(
        _NEW,
        organization=organization,
        id=grant_id,
        target=target.id,
        subject=subject.id,
        subject_type=subject.type,
        level=level.value,
        created=to_micros(cause.at),
        actor=cause.actor,
    )
    marking.grant_changed(tx, target.id, subject, inside, cause)
    detail = {"subject": f"{subject.type}/{subject.id}", "level": level.value}
    audit(tx, organization, cause, "grant.give", f"{target.type}/{target.id}", detail)
    return find(tx, organization, grant_id)


def change(tx: Transaction, organization: str, grant_id: str, level: Level, cause: Cause) -> Grant:
    """Give a grant another level. Raises OperatorError BRG-GRANT-UNKNOWN."""
    grant, subject = _held(tx, organization, grant_id)
    if grant.level is not level:
        tx.run(_LEVEL, organization=organization, grant=grant_id, to=level.value)
        marking.grant_changed(tx, grant.target, subject, marking.hold(tx, subject), cause)
        detail = {"subject": f"{subject.type}/{subject.id}", "level": level.value}
        audit(tx, organization, cause, "grant.change", f"target/{grant.target}", detail)
    return attrs.evolve(grant, level=level)


def take(tx: Transaction, organization: str, grant_id: str, cause: Cause) -> None:
    """Take a grant away. Raises OperatorError BRG-GRANT-UNKNOWN."""
    grant, subject = _held(tx, organization, grant_id)
    tx.run(_DROP, organization=organization, grant=grant_id)
    marking.grant_changed(tx, grant.target, subject, marking.hold(tx, subject), cause)
    detail = {"subject": f"{subject.type}/{subject.id}"}
    audit(tx, organization, cause, "grant.take", f"target/{grant.target}", detail)


def _held(tx: Transaction, organization: str, grant_id: str) -> tuple[Grant, Entity]:
    grant = find(tx, organization, grant_id)
    targets.hold(tx, organization, targets.find(tx, organization, grant.target))
    grant = find(tx, organization, grant_id)
    return grant, Entity(organization, grant.subject_type, grant.subject)


def _refuse_team(target: Target) -> None:
    if not target.invite_only:
        raise OperatorError(
            "BRG-FOLDER-TEAM",
            "The folder's access is team: whoever has access around it has it here.",
            "Set the folder's access to invite_only first, or grant on the workspace.",
        )


def _grant(row: Sequence[Any]) -> Grant:
    id_, target, subject, subject_type, name, level, created, actor = row
    return Grant(id_, target, subject, subject_type, name, Level(level), created, actor)
