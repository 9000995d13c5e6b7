"""`bridge import` and `bridge reconcile`: what a target holds, against what should be there.

Rule: without `--write`, `--repair` or `--adopt` both only read.
"""

import json as json_text
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter

from bridge.cli.common import COMMON, Common, journal_of, operator_cause
from bridge.cli.delivering import backend_names
from bridge.cli.output import note, say, write_json, write_rows
from bridge.cli.tenants import Org, the_organization
from bridge.core.errors import BackendDown, OperatorError

if TYPE_CHECKING:
    from bridge.config import Loaded
    from bridge.engine.importer import Proposal, Review, Reviewed
    from bridge.engine.reconciler import Difference
    from bridge.hosting import HostedBackend
    from bridge.journal.store import Journal

T = TypeVar("T")

SHOWN = 100
"""Conflicts, or differences, that are shown; all of them go into the review file, and into JSON."""

PROGRESS = 1000
"""After so many entries a line says how far it is."""

Flag = Annotated[bool, Parameter(negative=())]


def import_(
    *,
    backend: str,
    write: Flag = False,
    review: Path | None = None,
    apply: Path | None = None,
    org: Org = None,
    common: Common = COMMON,
) -> int:
    """Make resources of what a directory or database holds already; nothing is written there.

    Without --write or --apply it only shows what it would do. It may be repeated: what is
    imported is passed over, so an import that was cut off is simply started again.

    Exit code 1: something needs a decision. 3: the target cannot be reached.

    Parameters
    ----------
    backend
        The backend's name.
    write
        Do it.
    review
        Write every entry and what would become of it into this file, a JSON object on each line,
        to be edited.
    apply
        Do what such a file says; what is not in it is left alone.
    org
        The organization; not needed while there is only one.
    """
    from bridge.engine.importer import Decision, Importer
    from bridge.scim.identifiers import new_id

    if review is not None and (write or apply):
        raise OperatorError(
            "BRG-USAGE", "--review only shows what would be done.", "Leave out --write and --apply."
        )
    loaded = common.load()
    reviewed = _reviewed(apply) if apply else None
    counts: Counter[Decision] = Counter()
    problems: list[dict[str, Any]] = []
    with journal_of(loaded) as journal:
        hosted = _hosted(loaded, journal, backend)
        organization = journal.read_now(lambda reader: the_organization(reader, org).id)
        importer = Importer(
            *(journal, hosted, loaded.registry, organization, operator_cause, new_id),
            review=reviewed,
            write=write or apply is not None,
        )
        for proposal in _into(review, _reached(importer.run(), backend)):
            counts[proposal.decision] += 1
            if proposal.decision is Decision.CONFLICT:
                problems.append(_shown(proposal))
            _progress(counts.total())
    told = {str(decision): counts[decision] for decision in Decision}
    written = importer.write
    if common.json:
        write_json(
            {
                "backend": backend,
                "written": written,
                **told,
                "conflicts": problems,
                "incomplete": importer.incomplete,
                "outside": dict(importer.outside),
            }
        )
    else:
        _tell_import(told, problems, importer.incomplete, importer.outside, written=written)
    return 1 if problems or importer.incomplete else 0


def reconcile(
    *,
    backend: str,
    repair: Flag = False,
    adopt: Flag = False,
    org: Org = None,
    common: Common = COMMON,
) -> int:
    """Show how a target differs from what should be there; nothing is written without an option.

    Exit code 1: something differs, or the target did not show everything. 3: it cannot be reached.

    Parameters
    ----------
    backend
        The backend's name.
    repair
        Put the target right: the running bridge delivers the repairs.
    adopt
        Take values, names and places that were changed by hand over into the resources instead.
        Nothing is deleted; what others made is taken over by `bridge import`.
    org
        Only this organization.
    """
    from bridge.engine.reconciler import Reconciler

    loaded = common.load()
    counts: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    left = 0
    with journal_of(loaded) as journal:
        hosted = _hosted(loaded, journal, backend)
        only = journal.read_now(lambda r: the_organization(r, org).id) if org else None
        run = Reconciler(
            *(journal, hosted, loaded.registry, operator_cause, only), repair=repair, adopt=adopt
        )
        for difference in _reached(run.run(), backend):
            counts[str(difference.kinds[0])] += 1
            left += not (difference.repaired or difference.adopted)
            if common.json or len(rows) < SHOWN:
                rows.append(_difference(difference))
            _progress(run.seen)
    figures = {"seen": run.seen, "in_step": run.judged, "under_way": run.under_way}
    if common.json:
        write_json(
            {
                "backend": backend,
                **figures,
                "differences": dict(counts),
                "inconclusive": run.inconclusive,
                "entries": rows,
            }
        )
    else:
        _tell_drift(rows, counts, figures, run.inconclusive, repair=repair)
    return 1 if left or run.inconclusive else 0


def _hosted(loaded: "Loaded", journal: "Journal", name: str) -> "HostedBackend":
    from bridge.hosting import host

    hosted = host(loaded)
    found = next((one for one in hosted if one.name == name), None)
    if found is None:
        raise OperatorError(
            "BRG-BACKEND-UNKNOWN",
            f"The configuration has no backend {name!r}.",
            "Correct the name, or add the backend.",
        )
    journal.read_now(lambda reader: backend_names(reader, name))
    return found


def _reached(items: "Iterator[T]", name: str) -> "Iterator[T]":
    """Pass on what comes from a target, and say plainly when it cannot be reached."""
    try:
        yield from items
    except BackendDown as error:
        raise OperatorError(
            "BRG-REACH-BACKEND", f"{name} cannot be read: {error.reason}.", "Run `bridge check`."
        ) from error


# --- Import ---------------------------------------------------------------------------------------


def _into(path: Path | None, proposals: "Iterator[Proposal]") -> "Iterator[Proposal]":
    """Pass proposals on, and write each into the review file, if there is to be one."""
    if path is None:
        yield from proposals
        return
    with path.open("x", encoding="utf-8") as file:
        for proposal in proposals:
            file.write(json_text.dumps(_shown(proposal), ensure_ascii=False) + "\n")
            yield proposal


def _shown(proposal: "Proposal") -> dict[str, Any]:
    found = proposal.found
    return {
        "decision": str(proposal.decision),
        "reason": proposal.reason,
        "name": found.name or found.target_id,
        "type": found.type,
        "resource": proposal.resource,
        "attributes": dict(proposal.attributes),
        "members": len(found.members),
        "target_id": found.target_id,
    }


def _reviewed(path: Path) -> "Review":
    """Return the decisions in a review file; only where each line begins is kept in memory."""
    places: dict[str, int] = {}
    file = path.open("rb")
    for number, line in enumerate(file, 1):
        places[_decided(line, path, number)[0]] = file.tell() - len(line)

    def review(target_id: str) -> "Reviewed | None":
        if (place := places.get(target_id)) is None:
            return None
        file.seek(place)
        return _decided(file.readline(), path, 0)[1]

    return review


def _decided(line: bytes, path: Path, number: int) -> "tuple[str, Reviewed]":
    from bridge.engine.importer import Decision, Reviewed

    try:
        row = json_text.loads(line)
        decision = Decision(row["decision"])
        return str(row["target_id"]), Reviewed(decision, row["attributes"], row["resource"])
    except (ValueError, KeyError, TypeError) as error:
        raise OperatorError(
            "BRG-IMPORT-REVIEW",
            f"Line {number} of {path} is no reviewed entry: {error}.",
            "Keep each line as `--review` wrote it; change `decision`, `attributes`, `resource`.",
        ) from error


def _tell_import(
    told: dict[str, int],
    problems: list[dict[str, Any]],
    incomplete: list[str],
    outside: Counter[str],
    *,
    written: bool,
) -> None:
    say(", ".join(f"{name} {count}" for name, count in told.items()))
    if problems:
        write_rows(problems[:SHOWN], ("name", "reason"), as_json=False)
    if len(problems) > SHOWN:
        say(f"… and {len(problems) - SHOWN} more; --review FILE lists them all.")
    for name, count in outside.most_common(SHOWN):
        say(f"{name}: {count} members are no resources; they stay there, and show as drift.")
    for reason in incomplete:
        say(f"The listing is not complete: {reason}.")
    if not written:
        say("Nothing was written. Add --write, or --review FILE to decide entry by entry.")


# --- Reconcile ------------------------------------------------------------------------------------


def _difference(difference: "Difference") -> dict[str, Any]:
    entity = difference.entity
    state = "repair is on its way" if difference.repaired else difference.refusal
    return {
        "kind": str(difference.kinds[0]),
        "kinds": [str(kind) for kind in difference.kinds],
        "name": difference.name,
        "attributes": list(difference.attributes),
        "removes": difference.removes,
        "type": entity.type if entity else None,
        "id": entity.id if entity else None,
        "organization": entity.organization if entity else None,
        "state": "adopted" if difference.adopted else state,
        "plan": difference.text,
    }


def _tell_drift(
    rows: list[dict[str, Any]],
    counts: Counter[str],
    figures: dict[str, int],
    inconclusive: list[str],
    *,
    repair: bool,
) -> None:
    shown = [
        {**row, "kind": "+".join(row["kinds"]), "attributes": ", ".join(row["attributes"])}
        for row in rows
    ]
    if shown:
        write_rows(shown, ("kind", "name", "attributes", "state", "id"), as_json=False)
    if counts.total() > len(rows):
        say(f"… and {counts.total() - len(rows)} more; --json lists them all.")
    say(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in figures.items()))
    say(", ".join(f"{kind} {count}" for kind, count in counts.items()) or "No drift.")
    for reason in inconclusive:
        say(f"Inconclusive, nothing is said of what is missing: {reason}.")
    if repair and counts:
        say("The running bridge delivers the repairs; see `bridge deliveries list` and `holds`.")


def _progress(count: int) -> None:
    if count and count % PROGRESS == 0:
        note(f"{count} entries …")
