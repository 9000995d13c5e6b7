"""`bridge deliveries holds|release|reject`: what the guard against mass changes holds back.

Rule: ending a hold is audited in the same transaction, and giving up what it held needs `--yes`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bridge.cli.common import COMMON, Common, journal_of, operator_cause
from bridge.cli.output import say, write_json, write_rows
from bridge.cli.tenants import Org, the_organization
from bridge.core.errors import OperatorError

if TYPE_CHECKING:
    from bridge.core.changes import Cause
    from bridge.journal.holds import Ended
    from bridge.journal.store import Reader, Transaction

_COLUMNS = ("organization", "opened", "changes", "allowed", "cause", "held")


def holds(*, common: Common = COMMON) -> None:
    """List the open holds: how much was taken away, how much may be, and what waits."""
    from bridge.journal import holds as kept
    from bridge.journal import tenants

    def query(reader: "Reader") -> list[dict[str, Any]]:
        names = {one.id: one.name for one in tenants.list_organizations(reader)}
        return [
            {
                "organization": names.get(one.organization, one.organization),
                "opened": datetime.fromtimestamp(one.opened / 1e6, UTC).isoformat(),
                "changes": one.changes,
                "allowed": one.allowed,
                "cause": one.cause,
                "held": one.held,
            }
            for one in kept.every(reader)
        ]

    with journal_of(common.load()) as journal:
        rows = journal.read_now(query)
    if not common.json:
        for row in rows:
            row["held"] = ", ".join(f"{name} {count}" for name, count in row["held"].items())
    write_rows(rows, _COLUMNS, as_json=common.json)


def release(*, org: Org = None, common: Common = COMMON) -> None:
    """Deliver what the guard holds of an organization, and count anew.

    Parameters
    ----------
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import holds as kept

    ended = _end(kept.release, org, common)
    _done("released", ended.entities, common, f"{ended.entities} are delivered now.")


def reject(
    *,
    yes: Annotated[bool, Parameter(negative=())] = False,
    org: Org = None,
    common: Common = COMMON,
) -> None:
    """Never deliver what the guard holds of an organization; the targets keep what they have.

    Parameters
    ----------
    yes
        Needed: the targets differ from the bridge then, until reconciled.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import holds as kept

    if not yes:
        raise OperatorError(
            "BRG-USAGE", "What is rejected is never delivered.", "Add --yes if you mean it."
        )
    ended = _end(kept.reject, org, common)
    line = f"{ended.entities} given up; `bridge reconcile` tells how the targets differ."
    if ended.left:
        line = f"{line} {ended.left} are being delivered right now and still held: reject again."
    _done("rejected", ended.entities, common, line, left=ended.left)


def _end(
    verb: "Callable[[Transaction, str, Cause], Ended | None]", org: str | None, common: Common
) -> "Ended":
    cause = operator_cause()

    def unit(tx: "Transaction") -> "Ended | None":
        return verb(tx, the_organization(tx, org).id, cause)

    with journal_of(common.load()) as journal:
        ended = journal.write_now(unit)
    if ended is None:
        raise OperatorError(
            "BRG-HOLD-NONE",
            "Nothing of that organization is held.",
            "See `bridge deliveries holds`.",
        )
    return ended


def _done(name: str, count: int, common: Common, line: str, **more: int) -> None:
    if common.json:
        write_json({name: count, **more})
    else:
        say(line)
