"""Passwords on their way: sealed, one row for each resource and each backend that takes them.

A row is the newest password of its resource; an older one that was not delivered yet is nobody's
password any more. It goes with the version that it belongs to: delivered or given up, it is gone,
and no later look, resync or new backend brings it back.

Rule: there is a row only where `version` is beyond what its backend's cursor has applied.
"""

from collections.abc import Mapping, Sequence

import attrs
from sqlalchemy import bindparam, case, delete, select, update

from bridge.core.changes import ChangeRecord
from bridge.core.resources import Entity
from bridge.journal.statements import ONE, ZERO, among, insert, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import backend, cursor, password
from bridge.sealing import Sealed

_OF_ENTITY = (
    password.c.organization == bindparam("organization"),
    password.c.entity == bindparam("entity"),
)
_KEY = (*_OF_ENTITY, password.c.backend == bindparam("backend"))
_TAKER = (backend.c.takes_passwords == ONE, backend.c.state != "removed")
_ANY_TAKER = prepared(select(ONE).where(*_TAKER).limit(ONE))
_kept = insert(password).from_select(
    ["organization", "entity", "backend", "version", "sealed"],
    select(
        *(bindparam(name, type_=password.c[name].type) for name in ("organization", "entity")),
        backend.c.name,
        *(bindparam(name, type_=password.c[name].type) for name in ("version", "sealed")),
    ).where(*_TAKER),
)
_KEEP = prepared(
    _kept.on_conflict_do_update(
        index_elements=["organization", "entity", "backend"],
        set_={name: _kept.excluded[name] for name in ("version", "sealed")},
    )
)
_WAITING = prepared(select(password.c.version, password.c.sealed).where(*_KEY))
_DROP_APPLIED = prepared(
    delete(password).where(
        *_KEY,
        password.c.version
        <= select(cursor.c.applied)
        .where(
            cursor.c.backend == bindparam("backend"),
            cursor.c.organization == bindparam("organization"),
            cursor.c.entity == bindparam("entity"),
        )
        .scalar_subquery(),
    )
)
_FORGET = prepared(delete(password).where(*_OF_ENTITY))
_SET_TAKERS = prepared(
    update(backend)
    .where(among(backend.c.name, "backends"))
    .values(takes_passwords=case((among(backend.c.name, "takers"), ONE), else_=ZERO))
)
_DROP_UNTAKEN = prepared(
    delete(password).where(password.c.backend.not_in(select(backend.c.name).where(*_TAKER)))
)


@attrs.frozen
class Waiting:
    """The password that one backend is still to be given, and the version that brought it."""

    version: int
    sealed: Sealed

    def on(self, changes: Sequence[ChangeRecord]) -> tuple[ChangeRecord, ...]:
        """Return the changes, the one that brings an entity to (or past) `version` with it."""
        bearer = next(
            (c.version for c in changes if c.version >= self.version and c.after is not None), None
        )
        return tuple(
            attrs.evolve(c, password=self.sealed) if c.version == bearer else c for c in changes
        )


def wanted(reader: Reader, sealed: Sealed | None) -> Sealed | None:
    """Return a password if some backend takes passwords, or None: then nothing of it is kept."""
    return sealed if sealed is not None and reader.row(_ANY_TAKER) else None


def keep(tx: Transaction, entity: Entity, version: int, sealed: Sealed) -> None:
    """Keep a password that came with a version, for every backend that takes passwords."""
    tx.send(
        _KEEP,
        organization=entity.organization,
        entity=entity.id,
        version=version,
        sealed=sealed.reveal(),
    )


def waiting(reader: Reader, backend_name: str, entity: Entity) -> Waiting | None:
    """Return the password that a backend is still to be given for a resource, or None."""
    row = reader.row(
        _WAITING, organization=entity.organization, entity=entity.id, backend=backend_name
    )
    return Waiting(row[0], Sealed(row[1])) if row else None


def drop_applied(tx: Transaction, backend_name: str, organization: str, entity_id: str) -> None:
    """Drop a backend's password of a resource if its cursor has passed the version."""
    tx.send(_DROP_APPLIED, organization=organization, entity=entity_id, backend=backend_name)


def forget(tx: Transaction, entity: Entity) -> None:
    """Drop every password of a resource that is no more."""
    tx.send(_FORGET, organization=entity.organization, entity=entity.id)


def set_takers(tx: Transaction, takes: Mapping[str, bool]) -> None:
    """Note which of these backends take passwords, and drop what waits for one that does not."""
    takers = [name for name, is_taker in takes.items() if is_taker]
    tx.run(_SET_TAKERS, backends=list(takes), takers=takers)
    tx.run(_DROP_UNTAKEN)
