"""The serving process, as it is or deliberately broken.

    python -m tests.faults.serving MUTATION serve --config FILE

Rule: a test that cannot fail proves nothing; each mutation is a mistake that a kill must uncover.
"""

import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, update

from bridge.cli import main
from bridge.journal import claims
from bridge.journal.claims import Claim
from bridge.journal.statements import prepared
from bridge.journal.store import Transaction
from bridge.journal.tables import cursor

_ONE = (
    cursor.c.backend == bindparam("backend"),
    cursor.c.organization == bindparam("organization"),
    cursor.c.entity == bindparam("entity"),
)
_TOO_EARLY = prepared(update(cursor).where(*_ONE).values(applied=cursor.c.target, pending=0))
_NO_LEASE = prepared(update(cursor).where(*_ONE).values(next_at=0))


def _after_claiming(statement: Any) -> Callable[[], None]:
    claim = claims.claim

    def claim_and_break(tx: Transaction, backend: str, **wanted: Any) -> list[Claim]:
        found = claim(tx, backend, **wanted)
        for one in found:
            tx.run(statement, **one.key)
        return found

    def install() -> None:
        claims.claim = claim_and_break

    return install


def _never_heals() -> None:
    def believes_itself(tx: Transaction, claim: Claim, touched: int, *, wrote: bool) -> bool:
        del tx, claim, wrote
        return bool(touched)

    claims._kept = believes_itself


MUTATIONS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "never-heals": _never_heals,
    "acknowledged-too-early": _after_claiming(_TOO_EARLY),
    "no-lease": _after_claiming(_NO_LEASE),
}

if __name__ == "__main__":
    MUTATIONS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
