"""The verbs on resources: reads, and changes as units of work that the journal runs.

What a client sent is understood before (`bridge.core`), and shown after
(`bridge.scim.representation`). In between, in one transaction, conditions are checked, the change
is made and what the answer shows is read. An answer of 2xx means that it is durable.

Rule: a unit sees one consistent state and does all of its request or nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import attrs

from bridge.codec import from_micros
from bridge.core.changes import Cause
from bridge.core.errors import NotFound
from bridge.core.filters import BoundFilter
from bridge.core.members import MemberEdit
from bridge.core.resources import Attributes, Resource
from bridge.core.schema import Incoming, Quirk, ResourceType, Target
from bridge.core.secret import Secret
from bridge.journal import members, record, resources
from bridge.journal.members import GroupRow, MemberRow
from bridge.journal.queries import Place, search, walk
from bridge.journal.store import Journal, Reader, Transaction
from bridge.scim.negotiation import Conditions
from bridge.sealing import Sealed, Sealer

T = TypeVar("T")


@attrs.frozen
class Wanted:
    """Which related rows an answer shows.

    More than `most_members` are not read at all; None stands for no such limit.
    """

    groups: bool = False
    members: bool = False
    member_names: bool = False
    most_members: int | None = None


@attrs.frozen
class State:
    """A resource with its related rows; None for rows that were not read."""

    resource: Resource
    groups: Sequence[GroupRow] | None = None
    members: Sequence[MemberRow] | None = None


@attrs.frozen
class Asker:
    """On whose behalf a unit runs, and in which request."""

    organization: str
    actor: str
    request_id: str

    def cause(self, tx: Transaction) -> Cause:
        """Return the cause of a change that is made in `tx`."""
        return Cause(self.actor, self.request_id, from_micros(tx.now))


@attrs.frozen
class Page:
    """Which part of the matches is asked for, in which order; `offset` counts from 0."""

    offset: int
    count: int
    sort: Target | None = None
    descending: bool = False


@attrs.frozen
class Found:
    """One page of matches; `total` counts all of them."""

    total: int
    states: Sequence[State]


@attrs.frozen
class Steps:
    """Which resources are asked for next: `count` after a place, or in front of it if `backward`.

    Without a place they are the first ones.
    """

    place: Place | None
    count: int
    backward: bool = False
    sort: Target | None = None
    descending: bool = False


@attrs.frozen
class Walked:
    """Resources next to a place, and the place of each; `more` lie beyond them."""

    states: Sequence[State]
    places: Sequence[Place]
    more: bool


@attrs.frozen
class Changed:
    """What a PUT or PATCH makes of a resource: next attributes, edits of members, a password.

    `tolerated` are the departures from the RFCs that were accepted in it.
    """

    attributes: Attributes
    edits: Sequence[MemberEdit] = ()
    password: Secret | None = None
    tolerated: frozenset[Quirk] = frozenset()


Change = Callable[[Resource], Changed]
"""Makes the next state of a resource from the present one."""


@attrs.frozen
class Service:
    """The verbs on the resources of one type. The journal gets passwords sealed."""

    journal: Journal
    rtype: ResourceType
    sealer: Sealer

    async def do(self, unit: Callable[[Transaction], T]) -> T:
        """Run a unit; what it wrote is durable then. Raises Unavailable, and what it raises."""
        return await self.journal.write(unit)

    def creating(
        self, asker: Asker, resource_id: str, incoming: Incoming, wanted: Wanted
    ) -> Callable[[Transaction], State]:
        """Return the unit that makes a new resource.

        It raises Uniqueness, InvalidValue (a member that does not exist).
        """
        sealed = self._sealed(incoming.password)

        def unit(tx: Transaction) -> State:
            made = record.create(
                tx,
                self.rtype,
                asker.organization,
                resource_id,
                incoming.attributes,
                incoming.member_ids or (),
                asker.cause(tx),
                sealed,
                incoming.tolerated,
            )
            return _state(tx, made, wanted)

        return unit

    async def read(self, organization: str, resource_id: str, wanted: Wanted) -> State:
        """Return a resource; raises NotFound."""

        def query(reader: Reader) -> State:
            return _state(reader, self._found(reader, organization, resource_id), wanted)

        if wanted.members:  # there may be very many
            return await self.journal.read(query)
        return await self.journal.look_up(query)

    def changing(
        self, asker: Asker, resource_id: str, conditions: Conditions, make: Change, wanted: Wanted
    ) -> Callable[[Transaction], State]:
        """Return the unit that brings a resource to what `make` makes of it.

        Nothing is written where that is the same. It raises NotFound, PreconditionFailed,
        Uniqueness, Unavailable, and what `make` raises.
        """

        def unit(tx: Transaction) -> State:
            before = self._found(tx, asker.organization, resource_id)
            conditions.check(before.version)
            made = make(before)
            after = record.update(
                tx,
                self.rtype,
                before,
                made.attributes,
                made.edits,
                asker.cause(tx),
                self._sealed(made.password),
                made.tolerated,
            )
            return _state(tx, after, wanted)

        return unit

    def deleting(
        self, asker: Asker, resource_id: str, conditions: Conditions
    ) -> Callable[[Transaction], None]:
        """Return the unit that deletes a resource; it raises NotFound, PreconditionFailed."""

        def unit(tx: Transaction) -> None:
            before = self._found(tx, asker.organization, resource_id)
            conditions.check(before.version)
            record.delete(tx, self.rtype, before, asker.cause(tx))

        return unit

    async def search(
        self,
        organization: str,
        filter_: BoundFilter | None,
        page: Page,
        wanted: Wanted,
        addresses: Mapping[str, str],
    ) -> Found:
        """Return the resources that match; raises what `bridge.journal.queries.search` raises."""

        def query(reader: Reader) -> Found:
            result = search(
                reader,
                self.rtype,
                organization,
                filter_,
                start=page.offset,
                count=page.count,
                sort=page.sort,
                descending=page.descending,
                addresses=addresses,
            )
            return Found(result.total, _states(reader, organization, result.resources, wanted))

        return await self.journal.read(query)

    async def walk(
        self,
        organization: str,
        filter_: BoundFilter | None,
        steps: Steps,
        wanted: Wanted,
        addresses: Mapping[str, str],
    ) -> Walked:
        """Return the resources next to a place; raises what `search` raises."""

        def query(reader: Reader) -> Walked:
            found = walk(
                reader,
                self.rtype,
                organization,
                filter_,
                place=steps.place,
                count=steps.count,
                backward=steps.backward,
                sort=steps.sort,
                descending=steps.descending,
                addresses=addresses,
            )
            states = _states(reader, organization, found.resources, wanted)
            return Walked(states, found.places, found.more)

        return await self.journal.read(query)

    def _sealed(self, password: Secret | None) -> Sealed | None:
        return None if password is None else self.sealer.seal(password)

    def _found(self, reader: Reader, organization: str, resource_id: str) -> Resource:
        resource = resources.get(reader, self.rtype, organization, resource_id)
        if resource is None:
            raise NotFound(f"There is no {self.rtype.name} with the id {resource_id}.")
        return resource


def _state(reader: Reader, resource: Resource, wanted: Wanted) -> State:
    organization, resource_id = resource.entity.organization, resource.entity.id
    groups: Sequence[GroupRow] | None = None
    rows: Sequence[MemberRow] | None = None
    if wanted.groups:
        groups = members.groups_of(reader, organization, [resource_id])[resource_id]
    most = wanted.most_members
    if wanted.members:
        rows = (
            members.of(reader, organization, resource_id, named=wanted.member_names)
            if most is None
            else members.few_of(reader, organization, resource_id, most)
        )
    return State(resource, groups, rows)


def _states(
    reader: Reader, organization: str, found: Sequence[Resource], wanted: Wanted
) -> list[State]:
    ids = [resource.entity.id for resource in found]
    groups = members.groups_of(reader, organization, ids) if wanted.groups and ids else {}
    rows = members.of_each(reader, organization, ids) if wanted.members and ids else {}
    return [State(each, groups.get(each.entity.id), rows.get(each.entity.id)) for each in found]
