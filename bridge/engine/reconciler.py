"""Reconcile: how a target differs from what should be there, and putting it right.

Three things are compared: what should be (the journal), what the backend was last told (its cursor)
and what is there (a listing). Only an entity whose cursor is in step is judged: whatever is under
way is lag, not drift. The judge is the backend's own `plan`, given what was listed; a difference
counts only when a second look at that entity alone confirms it.

Repairing is delivering: the entity's cursor is told to look, and the engine does the rest, in order
with everything else. A report and a repair are the same run.

A run keeps no state: what it repaired has no drift in the next one. A listing put together from
two moments would prove no absence, so one that was cut short is begun again.

Rule: nothing is concluded from an absence in a listing that is not complete.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from bridge.core.backend import Drift, DriftKind, Found, Link, Mending, Observed, Plan
from bridge.core.changes import Cause, ChangeRecord
from bridge.core.errors import Defer, NotApplied
from bridge.core.resources import Attributes, Entity
from bridge.core.schema import Registry
from bridge.engine.listing import Listing, understood
from bridge.hosting import HostedBackend
from bridge.journal import holds, links, record, resources, snapshots, standing
from bridge.journal.standing import Standing
from bridge.journal.store import Journal, Reader, Transaction
from bridge.journal.tenants import audit

WALK_ROOM = 500
"""Entities that are looked up together when a listing is over."""

LEAST_MISSING = 10
MISSING_PERCENT = 10.0
"""More missing than both of these: the listing is taken for incomplete (a filter, a lost right)."""


@attrs.frozen
class Difference:
    """One entity or entry that is not as it should be.

    `kinds` are all that is wrong with it, the gravest first; `attributes` the target's own names of
    what differs, `removes` what mending it takes away, `text` what would be written. `repaired`:
    its repair is on its way (or held); `refusal` says why it cannot be repaired as it is.
    """

    kinds: tuple[DriftKind, ...]
    entity: Entity | None
    name: str
    attributes: tuple[str, ...] = ()
    removes: int = 0
    text: str = ""
    refusal: str = ""
    repaired: bool = False
    adopted: bool = False


@attrs.define
class Reconciler:
    """One run against one backend.

    `repair` has differences put right in the target, `adopt` takes what was changed there by hand
    over into the resources. Known at the end: `seen` entries, `judged` of them, `under_way` that
    were not judged, and `inconclusive`, why nothing is said of what is missing.
    """

    journal: Journal
    hosted: HostedBackend
    registry: Registry
    cause: Callable[[], Cause]
    organization: str | None = None
    repair: bool = False
    adopt: bool = False
    seen: int = 0
    judged: int = 0
    under_way: int = 0
    inconclusive: list[str] = attrs.field(factory=list)
    _listed: dict[str, set[str]] = attrs.field(factory=dict)

    def run(self) -> Iterator[Difference]:
        """Yield every difference; repaired or adopted if this run does that.

        Raises BackendDown where the target cannot be read at all, and OperatorError for a backend
        that cannot list.
        """
        listing = Listing(self.hosted)
        try:
            for page in listing.pages():
                yield from self._page(listing, page)
            self.inconclusive += dict.fromkeys(listing.incomplete)
            yield from self._absent(listing)
        finally:
            listing.close()

    # --- What is there --------------------------------------------------------------------------

    def _page(self, listing: Listing, page: tuple[Found, ...]) -> Iterator[Difference]:
        ids = [found.target_id for found in page if found.target_id]
        name = self.hosted.name
        known = self.journal.read_now(partial(standing.holders, backend=name, targets=ids))
        for found in page:
            holder = known.get(found.target_id)
            if not self._is_new(found, holder):
                continue
            self.seen += 1
            if holder is None:
                yield Difference((DriftKind.FOREIGN,), None, found.name)
            elif difference := self._judge(
                listing, holder.entity.organization, holder.entity.id, found
            ):
                yield difference

    def _is_new(self, found: Found, holder: Standing | None) -> bool:
        """Note what is listed, and tell whether it concerns this run, for the first time."""
        organization, key = "", found.target_id
        if holder is not None:
            organization, key = holder.entity.organization, holder.entity.id
        if self.organization and (organization or found.organization) not in (
            "",
            self.organization,
        ):
            return False
        listed = self._listed.setdefault(organization, set())
        if key in listed:
            return False
        listed.add(key)
        return True

    def _judge(
        self, listing: Listing, organization: str, key: str, found: Found
    ) -> Difference | None:
        at = self.journal.read_now(partial(_gathered, self.hosted.name, organization, key))
        if at is None or not at.standing.in_step:
            self.under_way += 1
            return None
        self.judged += 1
        observed = Observed(key, Link(key, found.target_id, found.name), found.state)
        plan, refusal = self._planned(listing, at, observed)
        if not refusal and not _drift(at, observed, plan):
            return None
        return self._confirmed(listing, organization, key, found)

    def _confirmed(
        self, listing: Listing, organization: str, key: str, found: Found | None
    ) -> Difference | None:
        """Look at one entity alone and return how it differs; None where it does not (any more)."""
        at = self.journal.read_now(partial(_gathered, self.hosted.name, organization, key))
        if at is None or not at.standing.in_step:
            self.under_way += 1
            return None
        (observed,) = listing.looking.observe([at.snapshot], at.links)
        plan, refusal = self._planned(listing, at, observed)
        after = self.journal.read_now(partial(_gathered, self.hosted.name, organization, key))
        if after is None or not after.standing.in_step or after.snapshot != at.snapshot:
            self.under_way += 1
            return None
        if not refusal and not _drift(at, observed, plan):
            return None
        return self._settled(at, observed, plan, refusal, found)

    def _planned(
        self, listing: Listing, at: "Gathered", observed: Observed
    ) -> tuple[Plan | None, str]:
        try:
            return listing.looking.plan([at.snapshot], at.links, observed), ""
        except Defer as error:
            return None, error.reason
        except NotApplied as error:
            return None, f"{type(error).__name__}: {error.reason}"

    # --- What is not ----------------------------------------------------------------------------

    def _absent(self, listing: Listing) -> Iterator[Difference]:
        """Yield what should be there and was not listed, if the listing proves anything."""
        missing = self._unlisted()
        known = self.seen + len(missing)
        if len(missing) > max(LEAST_MISSING, known * MISSING_PERCENT / 100):
            self.inconclusive.append(
                f"{len(missing)} of {known} entries are not listed; so many are taken for a "
                "listing that is not complete"
            )
        if self.inconclusive:
            return
        for entity in missing:
            if found := self._confirmed(listing, entity.organization, entity.id, None):
                yield found

    def _unlisted(self) -> list[Entity]:
        after: Entity | None = None
        unlisted: list[Entity] = []
        while True:
            query = partial(standing.walk, backend=self.hosted.name, after=after, room=WALK_ROOM)
            found = self.journal.read_now(query)
            unlisted += (one.entity for one in found if self._should_be_listed(one))
            if len(found) < WALK_ROOM:
                return unlisted
            after = found[-1].entity

    def _should_be_listed(self, one: Standing) -> bool:
        organization = one.entity.organization
        return (
            one.in_step
            and not one.deleted
            and self.organization in (None, organization)
            and one.entity.id not in self._listed.get(organization, ())
        )

    # --- What becomes of it ---------------------------------------------------------------------

    def _settled(
        self,
        at: "Gathered",
        observed: Observed,
        plan: Plan | None,
        refusal: str,
        found: Found | None,
    ) -> Difference:
        drift = _drift(at, observed, plan)
        difference = Difference(
            kinds=tuple(dict.fromkeys(one.kind for one in drift)) or (DriftKind.CHANGED,),
            entity=at.standing.entity,
            name=(observed.link or at.standing.link or Link("", "")).name,
            attributes=tuple(dict.fromkeys(name for one in drift for name in one.attributes)),
            removes=sum(one.removes for one in drift),
            text=str(plan or ""),
            refusal=refusal,
        )
        if self.adopt and found is not None and not at.standing.deleted:
            adopted = self.journal.write_now(partial(self._adopt, at=at, found=found))
            difference = attrs.evolve(difference, adopted=adopted)
        if self.repair and not difference.adopted and not refusal:
            unit = partial(self._repair, at=at, difference=difference)
            difference = attrs.evolve(difference, repaired=self.journal.write_now(unit))
        return difference

    def _repair(self, tx: Transaction, *, at: "Gathered", difference: Difference) -> bool:
        entity, removes = at.standing.entity, difference.removes
        if not standing.look(tx, self.hosted.name, entity):
            return False
        cause = self.cause()
        if removes:
            holds.guarded(tx, entity.organization, [entity.id], removes, cause)
        kinds = [str(kind) for kind in difference.kinds]
        detail = {"backend": self.hosted.name, "kinds": kinds, "removes": removes}
        audit(tx, entity.organization, cause, "drift.repair", f"{entity.type}/{entity.id}", detail)
        return True

    def _adopt(self, tx: Transaction, *, at: "Gathered", found: Found) -> bool:
        """Make the resource what the target says, where it says something; never delete it."""
        entity = at.standing.entity
        rtype = self.registry.by_name(entity.type)
        there = resources.get_any(tx, entity.organization, entity.id)
        if rtype is None or there is None or there.version != at.snapshot.version:
            return False
        document = understood(rtype, _over(there.attributes, found.attributes))
        after = record.update(tx, rtype, there, document, (), self.cause())
        link = Link(entity.id, found.target_id, found.name)
        if after.version == there.version and link == at.standing.link:
            return False  # what differs is not said by any attribute
        return standing.settle(tx, self.hosted.name, entity, link)


@attrs.frozen
class Gathered:
    """What judging one entity needs."""

    standing: Standing
    snapshot: ChangeRecord
    links: dict[str, Link]


def _gathered(backend: str, organization: str, key: str, reader: Reader) -> Gathered | None:
    at = standing.of(reader, backend, organization, key)
    snapshot = snapshots.snapshot(reader, at.entity) if at else None
    if at is None or snapshot is None:
        return None
    ids = {key, *snapshot.references}
    return Gathered(at, snapshot, links.get_many(reader, organization, backend, ids))


def _drift(at: Gathered, observed: Observed, plan: Plan | None) -> list[Drift]:
    """Return what is wrong, the gravest first."""
    there, was = observed.link, at.standing.link
    if there is None and plan is not None and plan.steps:
        return [Drift(DriftKind.DELETED if was else DriftKind.MISSING)]
    if plan is None and there and was and there.name != was.name:
        return [Drift(DriftKind.RENAMED)]
    drift = [
        one
        for step in (plan.steps if plan else ())
        for one in (step.drift if isinstance(step, Mending) else [Drift(DriftKind.CHANGED)])
    ]
    return sorted(drift, key=lambda one: list(DriftKind).index(one.kind))


def _over(before: Attributes, said: Attributes) -> dict[str, Any]:
    """Return a document with what a target says of it.

    Complex attributes are merged by parts, and items of a list by their type and primary.
    """
    merged: dict[str, Any] = dict(before)
    for name, value in said.items():
        was = before.get(name)
        if isinstance(value, dict) and isinstance(was, Mapping):
            merged[name] = {**was, **value}
        elif isinstance(value, list) and isinstance(was, Sequence):
            merged[name] = _merged(was, value)
        else:
            merged[name] = value
    return merged


def _merged(was: Sequence[Any], said: Sequence[Any]) -> list[Any]:
    items = [dict(item) if isinstance(item, Mapping) else item for item in was]
    for item in said:
        marks = {k: item[k] for k in ("type", "primary") if k in item}
        alike = [i for i in items if marks and marks.items() <= i.items()]
        if alike:
            alike[0].update(item)
        elif item not in items:
            items.append(item)
    return items
