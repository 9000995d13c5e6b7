"""`bridge backend` and `bridge deliveries`.

Rule: what an operator does here is audited in the same transaction, in the organization it
concerns; giving something up needs `--yes`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from bridge.cli.common import COMMON, Common, journal_of, operator_cause
from bridge.cli.output import say, write_json, write_rows
from bridge.cli.tenants import Org, the_organization
from bridge.core.errors import OperatorError

if TYPE_CHECKING:
    from bridge.journal.attempts import Tried
    from bridge.journal.deliveries import Delivery
    from bridge.journal.store import Journal, Reader, Transaction

backend = App(name="backend", help="Backends: state, lag, pause, resume.", help_formatter="plain")
deliveries = App(
    name="deliveries",
    help="What is not delivered yet, and what to do about it.",
    help_formatter="plain",
)

for _name, _summary in (
    ("holds", "List the holds of the guard against mass changes."),
    ("release", "Deliver what the guard holds."),
    ("reject", "Never deliver what the guard holds; the targets keep what they have."),
):
    deliveries.command(f"bridge.cli.holding:{_name}", name=_name, help=_summary)

backend.command(
    "bridge.cli.preparing:init", name="init", help="Make what a backend needs in its target."
)

LIST_LIMIT = 100
"""Deliveries that a list shows for each backend."""

OnBackend = Annotated[str | None, Parameter(name="--backend")]
Yes = Annotated[bool, Parameter(negative=())]

_DELIVERY_COLUMNS = (
    *("backend", "type", "name", "state", "applied", "target", "attempts", "error", "id"),
)


@backend.command(name="list")
def list_backends(*, common: Common = COMMON) -> None:
    """List the backends with their state, what waits for them and what is parked."""
    from bridge.journal import backends
    from bridge.journal import deliveries as kept

    def query(reader: "Reader") -> list[dict[str, Any]]:
        rows = []
        for row in backends.every(reader):
            lag = kept.lag(reader, row.name)
            rows.append(
                {
                    "name": row.name,
                    "type": row.type,
                    "state": row.state,
                    "pending": lag.pending,
                    "parked": lag.parked,
                    "oldest_seconds": round(lag.oldest_seconds, 1),
                    "reason": row.reason,
                }
            )
        return rows

    with journal_of(common.load()) as journal:
        rows = journal.read_now(query)
    columns = ("name", "type", "state", "pending", "parked", "oldest_seconds", "reason")
    write_rows(rows, columns, as_json=common.json)


@backend.command
def pause(name: str, *, common: Common = COMMON) -> None:
    """Stop delivering to a backend; its changes gather in the journal.

    Parameters
    ----------
    name
        The backend's name.
    """
    from bridge.journal import backends

    _change_backend(name, "pause", backends.pause, common)


@backend.command
def resume(name: str, *, common: Common = COMMON) -> None:
    """Deliver to a backend again, at once.

    Parameters
    ----------
    name
        The backend's name.
    """
    from bridge.journal import backends

    _change_backend(name, "resume", backends.resume, common)


@backend.command
def remove(name: str, *, yes: Yes = False, common: Common = COMMON) -> None:
    """End a backend's following of the journal; what it holds stays there.

    Parameters
    ----------
    name
        The backend's name; take it out of the configuration, too.
    yes
        Needed: what is pending for it is dropped.
    """
    from bridge.journal import backends

    if not yes:
        raise OperatorError(
            "BRG-USAGE", "What is pending for it is dropped.", "Add --yes if you mean it."
        )
    _change_backend(name, "remove", backends.remove, common)


@deliveries.command(name="list")
def list_deliveries(
    *,
    backend: OnBackend = None,
    parked: Annotated[bool, Parameter(negative=())] = False,
    common: Common = COMMON,
) -> None:
    """List what is parked, held and pending, the longest waiting first.

    Parameters
    ----------
    backend
        Only this backend.
    parked
        Only what waits for a person.
    """
    from bridge.journal import deliveries as kept

    def query(reader: "Reader") -> list[Any]:
        found: list[Any] = []
        for name in backend_names(reader, backend):
            found += kept.parked(reader, name, LIST_LIMIT)
            if not parked:
                found += kept.held(reader, name, LIST_LIMIT)
                found += kept.pending(reader, name, LIST_LIMIT)
        return found

    with journal_of(common.load()) as journal:
        found = journal.read_now(query)
    write_rows(map(_row, found), _DELIVERY_COLUMNS, as_json=common.json)


@deliveries.command
def show(id: str, *, org: Org = None, common: Common = COMMON) -> None:  # noqa: A002
    """Show how one resource stands with every backend, and what was tried lately.

    Parameters
    ----------
    id
        The resource's id.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import attempts
    from bridge.journal import deliveries as kept

    def query(reader: "Reader") -> "list[tuple[Delivery, list[Tried]]]":
        place = the_organization(reader, org).id
        return [
            (one, attempts.of_entity(reader, place, id, one.backend))
            for one in kept.of_entity(reader, place, id)
        ]

    with journal_of(common.load()) as journal:
        found = journal.read_now(query)
    if not found:
        raise _no_delivery(id)
    if common.json:
        write_json([{**_row(one), "tried": list(map(_attempt, tried))} for one, tried in found])
        return
    for one, tried in found:
        say(f"{one.backend}: {one.state} (has version {one.applied} of {one.target})")
        for label, value in (("why", one.error), ("next", one.next_step)):
            if value:
                say(f"    {label}: {value}")
        for each in map(_attempt, tried):
            said = each["answer"] or each["reason"] or ""
            took = f"{each['milliseconds']:g} ms"
            say(f"    {each['at']} {each['outcome']} after {took}: {said}".rstrip(": "))


@deliveries.command
def retry(
    id: str | None = None,  # noqa: A002
    *,
    backend: str,
    all_parked: Annotated[bool, Parameter(negative=())] = False,
    org: Org = None,
    common: Common = COMMON,
) -> None:
    """Try a parked or waiting delivery again at once.

    Parameters
    ----------
    id
        The resource's id.
    backend
        The backend's name.
    all_parked
        Everything that is parked for the backend, instead of one resource.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import deliveries as kept

    if all_parked == (id is not None):
        raise OperatorError(
            "BRG-USAGE", "Either an id or --all-parked is needed.", "Give one of the two."
        )
    with journal_of(common.load()) as journal:
        if id is None:
            journal.read_now(lambda reader: backend_names(reader, backend))
            count = journal.write_now(lambda tx: kept.retry_parked(tx, backend))
            _done({"retried": count}, f"{count} tried again.", common)
        else:
            _act(journal, kept.retry, backend, org, id)
            _done({"retried": 1}, "Tried again.", common)


@deliveries.command
def skip(
    id: str,  # noqa: A002
    *,
    backend: str,
    to_latest: Annotated[bool, Parameter(negative=())] = False,
    yes: Yes = False,
    org: Org = None,
    common: Common = COMMON,
) -> None:
    """Give up the parked change of a resource and go on with the next one.

    Parameters
    ----------
    id
        The resource's id.
    backend
        The backend's name.
    to_latest
        Give up all its pending changes but the last.
    yes
        Needed: what is skipped is never delivered.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import deliveries as kept

    if not yes:
        raise OperatorError(
            "BRG-USAGE", "What is skipped is never delivered.", "Add --yes if you mean it."
        )
    verb = kept.skip_to_latest if to_latest else kept.skip
    with journal_of(common.load()) as journal:
        _act(journal, verb, backend, org, id)
    _done({"skipped": 1}, "Skipped.", common)


def _act(
    journal: "Journal",
    verb: "Callable[[Transaction, str, str, str], bool]",
    backend_name: str,
    org: str | None,
    resource_id: str,
) -> None:
    from bridge.journal import tenants

    cause = operator_cause()

    def unit(tx: "Transaction") -> bool:
        organization = the_organization(tx, org).id
        backend_names(tx, backend_name)
        done = verb(tx, backend_name, organization, resource_id)
        if done:
            detail = {"backend": backend_name}
            tenants.audit(tx, organization, cause, f"delivery.{verb.__name__}", resource_id, detail)
        return done

    if not journal.write_now(unit):
        raise _no_delivery(resource_id)


def _change_backend(
    name: str, action: str, verb: "Callable[[Transaction, str], bool]", common: Common
) -> None:
    from bridge.journal import tenants

    cause = operator_cause()

    def unit(tx: "Transaction") -> None:
        backend_names(tx, name)
        verb(tx, name)
        for organization in tenants.list_organizations(tx):
            tenants.audit(tx, organization.id, cause, f"backend.{action}", f"backend/{name}", {})

    with journal_of(common.load()) as journal:
        journal.write_now(unit)
    _done({"name": name, "action": action}, f"{name}: {action.rstrip('e')}ed.", common)


def backend_names(reader: "Reader", name: str | None) -> list[str]:
    from bridge.journal import backends

    known = [row.name for row in backends.every(reader)]
    if name is None:
        return known
    if name not in known:
        raise OperatorError(
            "BRG-BACKEND-UNKNOWN",
            f"The journal knows no backend {name!r}; it knows {', '.join(known) or 'none'}.",
            "Start the bridge once after adding it to the configuration, or correct the name.",
        )
    return [name]


def _no_delivery(resource_id: str) -> OperatorError:
    return OperatorError(
        "BRG-DELIVERY-NONE",
        f"Nothing of {resource_id} is there to act on.",
        "See `bridge deliveries list` and `bridge deliveries show ID`.",
    )


def _row(one: "Delivery") -> dict[str, Any]:
    return {
        "backend": one.backend,
        "id": one.entity.id,
        "type": one.entity.type,
        "name": one.name,
        "state": str(one.state),
        "applied": one.applied,
        "target": one.target,
        "attempts": one.attempts,
        "next_at": datetime.fromtimestamp(one.next_at / 1e6, UTC).isoformat(),
        "error": one.error,
        "next_step": one.next_step,
    }


def _attempt(tried: "Tried") -> dict[str, Any]:
    return {
        "at": datetime.fromtimestamp(tried.at / 1e6, UTC).isoformat(timespec="seconds"),
        "milliseconds": tried.micros / 1000,
        "version": tried.version,
        "outcome": tried.outcome,
        "reason": tried.reason,
        "answer": tried.answer,
    }


def _done(value: Any, line: str, common: Common) -> None:
    if common.json:
        write_json(value)
    else:
        say(line)
