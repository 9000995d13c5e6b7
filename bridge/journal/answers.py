"""What requests with an idempotency key were answered, for a day.

Rule: an answer is written in the transaction of what it answers, so a repetition finds either
both or neither.
"""

import attrs
from sqlalchemy import bindparam, delete, select

from bridge.journal.statements import insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import answered as _a

KEPT_SECONDS = 24 * 60 * 60
"""How long a repetition gets the stored answer."""

_OF_KEY = (_a.c.caller == bindparam("caller"), _a.c.key == bindparam("key"))
_FIND = prepared(
    select(_a.c.fingerprint, _a.c.status, _a.c.body).where(*_OF_KEY, _a.c.at > bindparam("since"))
)
_KEEP = prepared(insert_into(_a))
_DROP_OLD = prepared(delete(_a).where(_a.c.at <= bindparam("since")))


@attrs.frozen
class Answer:
    """One answer: a fingerprint of the request, the status, and the body's JSON text."""

    fingerprint: str
    status: int
    body: str


def find(reader: Reader, caller: str, key: str) -> Answer | None:
    """Return what this caller was answered under this key, or None."""
    row = reader.row(_FIND, caller=caller, key=key, since=_since(reader))
    return Answer(*row) if row else None


def keep(tx: Transaction, caller: str, key: str, answer: Answer) -> None:
    """Keep an answer, and drop those that are too old."""
    tx.run(_DROP_OLD, since=_since(tx))
    tx.run(_KEEP, caller=caller, key=key, at=tx.now, **attrs.asdict(answer))


def _since(reader: Reader) -> int:
    return reader.now - KEPT_SECONDS * 1_000_000
