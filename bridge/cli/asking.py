"""What several commands do alike: asking the journal about one organization, and changing it.

Rule: one command is one read, or one unit of work.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bridge.cli.common import Common, journal_of, operator_cause
from bridge.cli.output import say, write_json
from bridge.cli.tenants import the_organization

if TYPE_CHECKING:
    from bridge.core.changes import Cause
    from bridge.journal.store import Reader, Transaction

PAGE = 1000
"""Rows that a command reads at a time."""


def ask(common: Common, org: str | None, query: "Callable[[Reader, str], Any]") -> Any:
    """Return the result of a query about an organization; it is given the organization's id."""
    with journal_of(common.load()) as journal:
        return journal.read_now(lambda reader: query(reader, the_organization(reader, org).id))


def change(
    common: Common, org: str | None, unit: "Callable[[Transaction, str, Cause], Any]"
) -> Any:
    """Return the result of a unit of work, once it is durable; it is given the id and a cause."""
    cause = operator_cause()
    with journal_of(common.load()) as journal:
        return journal.write_now(lambda tx: unit(tx, the_organization(tx, org).id, cause))


def everything(page: Callable[[Any], Sequence[Any]]) -> list[Any]:
    """Return the rows of all pages; `page` is given the last row so far, None at the start."""
    found: list[Any] = []
    while more := page(found[-1] if found else None):
        found += more
        if len(more) < PAGE:
            break
    return found


def tell(row: dict[str, Any], line: str, common: Common) -> None:
    """Print one result: as JSON if asked for, else the line."""
    if common.json:
        write_json(row)
    else:
        say(line)
