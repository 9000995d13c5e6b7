"""Links: which entry, row or object of a target is which resource.

Rule: a link outlives its resource, because taking a deleted member out of a group needs its name.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, select, update

from bridge.core.backend import Link
from bridge.journal.statements import among, insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import link

_SCOPE = (
    link.c.organization == bindparam("organization"),
    link.c.backend == bindparam("backend"),
)
_COLUMNS = (link.c.resource, link.c.target_id, link.c.name)
_GET = prepared(select(*_COLUMNS).where(*_SCOPE, link.c.resource == bindparam("resource")))
_GET_MANY = prepared(select(*_COLUMNS).where(*_SCOPE, among(link.c.resource, "resources")))
_INSERT = insert_into(link)
_PUT = prepared(
    _INSERT.on_conflict_do_update(
        index_elements=list(link.primary_key),
        set_={name: _INSERT.excluded[name] for name in ("target_id", "name", "gone", "updated")},
    )
)
_MARK_GONE = prepared(
    update(link)
    .where(*_SCOPE, link.c.resource == bindparam("id"))
    .values(gone=1, updated=bindparam("now"))
)


def get_many(
    reader: Reader, organization: str, backend: str, ids: Collection[str]
) -> dict[str, Link]:
    """Return the links of these resources by resource id; those that have none are left out."""
    if not ids:
        return {}
    if len(ids) == 1:  # the common case: a change of a user refers to nobody else
        rows = reader.rows(
            _GET, organization=organization, backend=backend, resource=next(iter(ids))
        )
    else:
        rows = reader.rows(
            _GET_MANY, organization=organization, backend=backend, resources=list(ids)
        )
    return {row[0]: Link(*row) for row in rows}


def put(tx: Transaction, organization: str, backend: str, links: Iterable[Link]) -> frozenset[str]:
    """Write links; return the ids of those whose name is another than before."""
    new = {found.resource_id: found for found in links}
    old = get_many(tx, organization, backend, new.keys())
    tx.run_many(
        _PUT,
        [
            {
                "organization": organization,
                "backend": backend,
                "resource": found.resource_id,
                "target_id": found.target_id,
                "name": found.name,
                "gone": 0,
                "updated": tx.now,
            }
            for found in new.values()
            if found != old.get(found.resource_id)
        ],
    )
    return frozenset(id_ for id_, was in old.items() if was.name != new[id_].name)


def mark_gone(tx: Transaction, organization: str, backend: str, resource_id: str) -> None:
    """Note that the resource of this link is deleted in the target."""
    tx.send(_MARK_GONE, organization=organization, backend=backend, id=resource_id, now=tx.now)
