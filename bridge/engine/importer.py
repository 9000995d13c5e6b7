"""Import: what a target holds already becomes resources, linked, and nothing is written there.

The listing is walked twice. The first walk only reads: it finds the names that several entries
have, which no rule may choose between. The second makes a proposal for each entry and, if asked to,
carries it out, people before groups.

A run keeps no state of its own: what was imported is linked, and is passed over the next time. So
a run that was killed is simply started again.

Rule: a resource, its link and the note that the target holds it are one transaction; what was just
read is never delivered back.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from typing import Any

import attrs

from bridge.core.backend import Found, Link, Observed
from bridge.core.changes import Cause
from bridge.core.errors import NotApplied, ScimError
from bridge.core.members import AddMembers
from bridge.core.resources import Attributes, Entity
from bridge.core.schema import Registry, ResourceType, index_keys
from bridge.engine.listing import Listing, understood
from bridge.hosting import HostedBackend
from bridge.journal import links, record, resources, snapshots, standing
from bridge.journal.store import Journal, Reader, Transaction
from bridge.journal.tenants import audit


class Decision(StrEnum):
    """What becomes of one entry.

    CREATE a resource · LINK it to one that is there · KNOWN: it is linked already · SKIP it ·
    CONFLICT: a person must decide.
    """

    CREATE = "create"
    LINK = "link"
    KNOWN = "known"
    SKIP = "skip"
    CONFLICT = "conflict"


@attrs.frozen
class Proposal:
    """One entry and what becomes of it; `reason` says why, where that is not plain.

    `attributes` is the document the resource gets; `resource` its id, where there is one already,
    or by now. `outside` are members that are no resources.
    """

    found: Found
    decision: Decision
    attributes: Attributes = attrs.field(factory=dict)
    resource: str = ""
    reason: str = ""


@attrs.frozen
class Reviewed:
    """What a person has decided about an entry."""

    decision: Decision
    attributes: Attributes | None = None
    resource: str = ""


Review = Callable[[str], Reviewed | None]
"""Returns what was decided about the entry with this target id; None: it was not reviewed."""


@attrs.define
class Importer:
    """One import from one backend into one organization; `write` False shows what it would do.

    Known at the end: `incomplete`, what the target held back, and `outside`, by the name of a group
    how many of its members are no resources.
    """

    journal: Journal
    hosted: HostedBackend
    registry: Registry
    organization: str
    cause: Callable[[], Cause]
    new_id: Callable[[], str]
    review: Review | None = None
    write: bool = False
    incomplete: list[str] = attrs.field(factory=list)
    outside: Counter[str] = attrs.field(factory=Counter)
    _doubled: Mapping[tuple[str, str], int] = attrs.field(factory=dict)
    _seen: set[str] = attrs.field(factory=set)
    _members: dict[str, str] = attrs.field(factory=dict)  # key of a member to its resource id
    _later: list[tuple[str, str, str]] = attrs.field(
        factory=list
    )  # a group, its id, a member's key

    def run(self) -> Iterator[Proposal]:
        """Yield a proposal for every entry, carried out if this import writes.

        Raises BackendDown, and OperatorError for a backend that cannot list.
        """
        listing = Listing(self.hosted)
        try:
            self._find_doubled(listing)
            listing.incomplete.clear()
            for page in listing.pages():
                yield from self._page(listing, [f for f in page if self._is_new(f)])
            self.incomplete = listing.incomplete
            self._join_late()
        finally:
            listing.close()

    def _find_doubled(self, listing: Listing) -> None:
        first: dict[tuple[str, str], str] = {}
        others: dict[tuple[str, str], set[str]] = {}
        for page in listing.pages():
            for found in page:
                name = self._name(found)
                if name and first.setdefault(name, found.target_id) != found.target_id:
                    others.setdefault(name, set()).add(found.target_id)
        self._doubled = {name: len(more) + 1 for name, more in others.items()}

    def _is_new(self, found: Found) -> bool:
        new = self._is_ours(found) and found.target_id not in self._seen
        self._seen.add(found.target_id)
        return new or not found.target_id

    def _is_ours(self, found: Found) -> bool:
        return found.organization in ("", self.organization)

    def _name(self, found: Found) -> tuple[str, str] | None:
        """Return what makes two entries the same resource: its type and name, comparable."""
        rtype = self.registry.by_name(found.type)
        if rtype is None or found.problem or not self._is_ours(found):
            return None
        key = index_keys(rtype, found.attributes).name_key
        return (found.type, key) if key else None

    def _page(self, listing: Listing, page: list[Found]) -> Iterator[Proposal]:
        ids = [found.target_id for found in page if found.target_id]
        name = self.hosted.name
        known = self.journal.read_now(partial(standing.holders, backend=name, targets=ids))
        proposals = [self._propose(listing, f, known.get(f.target_id)) for f in page]
        if self.write:
            # One transaction for a page of people; groups bring their members.
            batches = [[p] for p in proposals] if _has_groups(page) else [proposals]
            proposals = [
                done
                for batch in batches
                for done in self.journal.write_now(partial(self._carry_out, proposals=batch))
            ]
        for proposal in proposals:
            if proposal.decision in (Decision.CREATE, Decision.LINK, Decision.KNOWN):
                self._members[proposal.found.key] = proposal.resource
            if not self.write and proposal.decision is Decision.CREATE:
                _, later = self._split(proposal.found)
                self._later += ((proposal.found.name, "", key) for key in later)
            yield proposal

    # --- Deciding -------------------------------------------------------------------------------

    def _propose(
        self, listing: Listing, found: Found, holder: standing.Standing | None
    ) -> Proposal:
        rtype = self.registry.by_name(found.type)
        if rtype is None:
            return Proposal(found, Decision.SKIP, reason=f"{found.type} is not served here")
        if holder is not None:
            return self._known(found, holder)
        reviewed = self.review(found.target_id) if self.review else None
        if self.review is not None and reviewed is None:
            return Proposal(found, Decision.SKIP, reason="it was not reviewed")
        if reviewed is not None and reviewed.decision not in (Decision.CREATE, Decision.LINK):
            return Proposal(found, Decision.SKIP, reason="so it was decided")
        attributes = found.attributes
        if reviewed is not None and reviewed.attributes is not None:
            attributes = reviewed.attributes
        elif found.problem:
            return Proposal(found, Decision.CONFLICT, attributes, reason=found.problem)
        try:
            document = understood(rtype, attributes)
        except ScimError as error:
            return Proposal(found, Decision.CONFLICT, attributes, reason=error.detail)
        proposal = Proposal(found, Decision.CREATE, document)
        if reviewed is not None:
            return attrs.evolve(proposal, decision=reviewed.decision, resource=reviewed.resource)
        query = partial(self._judge, listing=listing, rtype=rtype, proposal=proposal)
        return self.journal.read_now(query)

    def _known(self, found: Found, holder: standing.Standing) -> Proposal:
        entity = holder.entity
        if entity.organization != self.organization:
            return Proposal(found, Decision.SKIP, reason="it is another organization's")
        if holder.deleted:
            reason = f"it is what {entity.id} left, which was deleted; see `bridge reconcile`"
            return Proposal(found, Decision.SKIP, reason=reason)
        return Proposal(found, Decision.KNOWN, found.attributes, entity.id)

    def _judge(
        self, reader: Reader, *, listing: Listing, rtype: ResourceType, proposal: Proposal
    ) -> Proposal:
        name = index_keys(rtype, proposal.attributes).name_key or ""
        shown = f'{rtype.name_attribute.name if rtype.name_attribute else "name"} "{name}"'
        if count := self._doubled.get((rtype.name, name)):
            reason = f"{count} entries have the {shown}"
            return attrs.evolve(proposal, decision=Decision.CONFLICT, reason=reason)
        holder = standing.named(reader, self.organization, rtype.name, name)
        if holder is None:
            return proposal
        own = links.get_many(reader, self.organization, self.hosted.name, [holder])
        entity = Entity(self.organization, rtype.name, holder)
        proposal = attrs.evolve(proposal, resource=holder)
        if other := own.get(holder):
            reason = f"the resource with the {shown} is {other.name or other.target_id} there"
            return attrs.evolve(proposal, decision=Decision.CONFLICT, reason=reason)
        if self._adopts(reader, listing, entity, proposal.found):
            return attrs.evolve(proposal, decision=Decision.LINK)
        reason = f"a resource has the {shown}, and no rule says that it is this one"
        return attrs.evolve(proposal, decision=Decision.CONFLICT, reason=reason)

    def _adopts(self, reader: Reader, listing: Listing, entity: Entity, found: Found) -> bool:
        """Ask the backend whether its rule takes this entry for that resource's."""
        snapshot = snapshots.snapshot(reader, entity)
        if snapshot is None:
            return False
        own = Link(entity.id, found.target_id, found.name)
        alone = attrs.evolve(snapshot, members=type(snapshot.members)())
        try:
            plan = listing.looking.plan([alone], {}, Observed(entity.id, own, found.state))
        except NotApplied:
            return False
        return plan.adopts

    # --- Doing ----------------------------------------------------------------------------------

    def _carry_out(self, tx: Transaction, *, proposals: Iterable[Proposal]) -> list[Proposal]:
        return [self._one(tx, proposal) for proposal in proposals]

    def _one(self, tx: Transaction, proposal: Proposal) -> Proposal:
        try:
            match proposal.decision:
                case Decision.CREATE:
                    return self._create(tx, proposal)
                case Decision.LINK:
                    return self._link(tx, proposal)
                case Decision.KNOWN:
                    return self._rejoin(tx, proposal)
        except ScimError as error:  # raised before anything of it is written
            return attrs.evolve(proposal, decision=Decision.CONFLICT, reason=error.detail)
        return proposal

    def _create(self, tx: Transaction, proposal: Proposal) -> Proposal:
        found, resource_id = proposal.found, self.new_id()
        rtype = self._rtype(found)
        ids, later = self._split(found)
        made = record.create(
            tx, rtype, self.organization, resource_id, proposal.attributes, ids, self.cause()
        )
        link = Link(resource_id, found.target_id, found.name)
        standing.settle(tx, self.hosted.name, made.entity, link)
        self._note(tx, made.entity, link)
        self._later += ((found.name, resource_id, key) for key in later)
        return attrs.evolve(proposal, resource=resource_id)

    def _link(self, tx: Transaction, proposal: Proposal) -> Proposal:
        found = proposal.found
        there = resources.get(tx, self._rtype(found), self.organization, proposal.resource)
        if there is None:
            reason = f"there is no {found.type} {proposal.resource}"
            return attrs.evolve(proposal, decision=Decision.CONFLICT, reason=reason)
        own = links.get_many(tx, self.organization, self.hosted.name, [proposal.resource])
        if other := own.get(proposal.resource):
            reason = f"{proposal.resource} is {other.name or other.target_id} there"
            return attrs.evolve(proposal, decision=Decision.CONFLICT, reason=reason)
        link = Link(proposal.resource, found.target_id, found.name)
        if not standing.settle(tx, self.hosted.name, there.entity, link):
            # It is under way: its delivery finds the link, and looks at the entry.
            return attrs.evolve(proposal, reason="it is being delivered right now")
        self._note(tx, there.entity, link)
        return proposal

    def _rejoin(self, tx: Transaction, proposal: Proposal) -> Proposal:
        """Take up a group again that an import made and could not finish."""
        if proposal.found.members:
            there = resources.get_any(tx, self.organization, proposal.resource)
            if there is not None and there.version == 1:
                _, later = self._split(proposal.found)
                self._later += ((proposal.found.name, there.entity.id, key) for key in later)
        return proposal

    def _split(self, found: Found) -> tuple[list[str], list[str]]:
        """Return the ids of the members that are known, and the keys of the others."""
        ids = (self._members.get(key) for key in found.members)
        later = [key for key in found.members if key not in self._members]
        return list(dict.fromkeys(filter(None, ids))), later

    def _join_late(self) -> None:
        """Give groups their members that were imported after them."""
        waiting: dict[str, list[str]] = {}
        for name, group_id, key in self._later:
            if key not in self._members:
                self.outside[name] += 1
            elif self.write:
                waiting.setdefault(group_id, []).append(self._members[key])
        for group_id, ids in waiting.items():
            self.journal.write_now(partial(self._join, group_id=group_id, ids=ids))

    def _join(self, tx: Transaction, *, group_id: str, ids: list[str]) -> None:
        group = resources.get_any(tx, self.organization, group_id)
        rtype = self.registry.by_name(group.entity.type) if group else None
        if group is None or rtype is None:
            return
        edits = [AddMembers(tuple(ids), skip_unknown=True)]
        record.update(tx, rtype, group, group.attributes, edits, self.cause())
        own = links.get_many(tx, self.organization, self.hosted.name, [group_id])
        standing.settle(tx, self.hosted.name, group.entity, own[group_id])

    def _rtype(self, found: Found) -> ResourceType:
        rtype = self.registry.by_name(found.type)
        if rtype is None:
            raise LookupError(found.type)
        return rtype

    def _note(self, tx: Transaction, entity: Entity, link: Link) -> None:
        detail: dict[str, Any] = {
            "backend": self.hosted.name,
            "target_id": link.target_id,
            "name": link.name,
        }
        target = f"{entity.type}/{entity.id}"
        audit(tx, entity.organization, self.cause(), "link.imported", target, detail)


def _has_groups(page: Iterable[Found]) -> bool:
    return any(found.members for found in page)
