"""`/Bulk`: many operations in one request (RFC 7644 section 3.7).

Each operation is a unit of work of its own, done or refused as the same request alone would be.
They are done in the order of the request, but a resource that others refer to by `bulkId:…` is
made before them, wherever it stands. Resources that refer to each other in a circle are made in
one unit: first all of them, then their memberships; they come into being together or not at all.

Rule: an id is chosen before anything is written, so a reference is resolved by replacing a text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from bridge.core.errors import (
    Conflict,
    InvalidSyntax,
    InvalidValue,
    NotFound,
    PayloadTooLarge,
    ScimError,
)
from bridge.core.members import AddMembers
from bridge.core.resources import Resource
from bridge.core.schema import Incoming
from bridge.journal.store import Transaction
from bridge.scim import urns
from bridge.scim.endpoints import Endpoints, asker, read_document
from bridge.scim.exchange import Answer, Request, broken, refusal
from bridge.scim.identifiers import new_id
from bridge.scim.negotiation import UNCONDITIONAL, conditions, etag
from bridge.scim.rates import Rates
from bridge.scim.references import in_rings, names_in, resolved
from bridge.scim.representation import Document
from bridge.scim.service import Change, Changed, State, Wanted
from bridge.scim.settings import ScimSettings

T = TypeVar("T")

METHODS = {"POST": 201, "PUT": 200, "PATCH": 200, "DELETE": 204}
"""What an operation may do, and the status of its success."""

NOTHING = Wanted()


@attrs.frozen
class Operation:
    """One operation as it was sent; `names` are the bulkIds that it refers to."""

    method: str
    path: str
    bulk_id: str | None
    version: str | None
    data: Any
    names: frozenset[str]

    @property
    def creates(self) -> str | None:
        """The bulkId of the resource that it makes."""
        return self.bulk_id if self.method == "POST" else None


@attrs.frozen
class BulkRequest:
    """The operations in order, and after how many errors to stop; None: never."""

    operations: Sequence[Operation]
    fail_on_errors: int | None


def parse_bulk(document: Mapping[str, Any], most: int) -> BulkRequest:
    """Return what the body of a bulk request says.

    Raises InvalidSyntax (its shape; a bulkId twice), InvalidValue (failOnErrors) and
    PayloadTooLarge (more than `most` operations). What is wrong with one operation is its error.
    """
    named = {name.lower(): value for name, value in document.items()}
    schemas, items = named.get("schemas"), named.get("operations")
    stop = named.get("failonerrors")
    if not isinstance(schemas, list) or urns.BULK_REQUEST not in schemas:
        raise InvalidSyntax(f'A bulk request needs "schemas": ["{urns.BULK_REQUEST}"].')
    if not isinstance(items, list) or not items:
        raise InvalidSyntax('"Operations" must be a list of one operation or more.')
    if len(items) > most:
        raise PayloadTooLarge(f"The request exceeds the limit bulk_operations of {most}.")
    if stop is not None and (type(stop) is not int or stop < 1):
        raise InvalidValue('"failOnErrors" must be a whole number of 1 or more.')
    operations = tuple(map(_operation, items))
    made = [operation.creates for operation in operations if operation.creates]
    if len(set(made)) < len(made):
        raise InvalidSyntax("A bulkId is used by more than one POST of the request.")
    return BulkRequest(operations, stop)


def _operation(item: Any) -> Operation:
    if not isinstance(item, dict):
        raise InvalidSyntax("Each of Operations must be an object.")
    named = {name.lower(): value for name, value in item.items()}
    for name in ("method", "path", "bulkid", "version"):
        if not isinstance(named.get(name), str | None):
            raise InvalidSyntax(f'"{name}" of an operation must be a string.')
    path, data = named.get("path") or "", named.get("data")
    return Operation(
        (named.get("method") or "").upper(),
        path,
        named.get("bulkid") or None,
        named.get("version"),
        data,
        frozenset(names_in([path, data])),
    )


@attrs.frozen
class Bulk:
    """The endpoint; `places` are the collections by path segments."""

    places: Mapping[tuple[str, ...], Endpoints]
    base_url: str
    settings: ScimSettings
    rates: Rates

    async def answer(self, request: Request) -> Answer:
        """POST: 200 with an answer to each operation that was tried."""
        most = self.settings.bulk_operations
        bulk = await read_document(request, self.settings, lambda body: parse_bulk(body, most))
        self.rates.charge(request.caller, len(bulk.operations) - 1)
        job = _Job(self, request, bulk.operations)
        await job.run(bulk.fail_on_errors)
        answers = [job.answers[number] for number in sorted(job.answers)]
        return Answer(200, {"schemas": [urns.BULK_RESPONSE], "Operations": answers})


@attrs.define
class _Creation:
    """A resource to be made, and where."""

    endpoints: Endpoints
    id: str
    incoming: Incoming


class _Refused(Exception):
    """One operation of a circle was refused, and so all of them are."""

    def __init__(self, number: int, error: ScimError) -> None:
        super().__init__(number)
        self.number = number
        self.error = error


class _Job:
    """The operations of one request on their way; `answers` by their number."""

    def __init__(self, bulk: Bulk, request: Request, operations: Sequence[Operation]) -> None:
        self._bulk = bulk
        self._request = request
        self._operations = operations
        self._makers = {each.creates: n for n, each in enumerate(operations) if each.creates}
        self._ids = {name: new_id() for name in self._makers}
        self._failed: set[int] = set()
        self.answers: dict[int, Document] = {}

    async def run(self, fail_on_errors: int | None) -> None:
        """Do the operations, or stop after so many errors."""
        makers = self._makers
        needs = [[makers[n] for n in each.names if n in makers] for each in self._operations]
        for ring in in_rings(needs):
            if len(self._failed) >= (fail_on_errors or len(needs) + 1):
                return
            try:
                await (self._together(ring) if len(ring) > 1 else self._alone(ring[0]))
            except _Refused as refused:
                self._fail_all(ring, Conflict("An operation that this one refers to was refused."))
                self._fail(refused.number, refused.error)
            except ScimError as error:
                self._fail_all(ring, error)
            except Exception as error:  # noqa: BLE001 - what went before is done and must be told
                self._fail_all(ring, broken(error, self._request.id))

    async def _alone(self, number: int) -> None:
        operation = self._operations[number]
        if operation.method == "POST":
            made = self._creation(number)
            service = made.endpoints.service
            unit = service.creating(asker(self._request), made.id, made.incoming, NOTHING)
            self._succeed(number, made.endpoints, await service.do(unit))
            return
        endpoints, resource_id = self._place(operation)
        service = endpoints.service
        known = conditions({b"if-match": operation.version.encode()} if operation.version else {})
        who = asker(self._request)
        if operation.method == "DELETE":
            await service.do(service.deleting(who, resource_id, known))
            self._succeed(number, endpoints, None)
            return
        read = endpoints.replacement if operation.method == "PUT" else endpoints.alteration
        make = read(self._request, self._data(operation))
        changing = service.changing(who, resource_id, known, make, NOTHING)
        self._succeed(number, endpoints, await service.do(changing))

    async def _together(self, ring: Sequence[int]) -> None:
        creations = {number: _blaming(number, self._creation, number) for number in ring}
        who = asker(self._request)

        def unit(tx: Transaction) -> dict[int, State]:
            missing = {made.id for made in creations.values()}
            later: dict[int, tuple[str, ...]] = {}
            states: dict[int, State] = {}
            for number, made in creations.items():
                ids = made.incoming.member_ids or ()
                later[number] = tuple(i for i in ids if i in missing)
                now = tuple(i for i in ids if i not in missing)
                incoming = attrs.evolve(made.incoming, member_ids=now)
                create = made.endpoints.service.creating(who, made.id, incoming, NOTHING)
                states[number] = _blaming(number, create, tx)
                missing.discard(made.id)
            for number, made in creations.items():
                join = made.endpoints.service.changing(
                    who, made.id, UNCONDITIONAL, _joining(later[number]), NOTHING
                )
                states[number] = _blaming(number, join, tx)
            return states

        states = await creations[ring[0]].endpoints.service.do(unit)
        for number, state in states.items():
            self._succeed(number, creations[number].endpoints, state)

    def _creation(self, number: int) -> _Creation:
        operation = self._operations[number]
        if operation.creates is None:
            raise InvalidSyntax("A POST needs a bulkId.")
        endpoints = self._bulk.places.get(_segments(operation.path))
        if endpoints is None:
            raise NotFound("The path of a POST is a collection, such as /Users.")
        incoming = endpoints.incoming(self._request, self._data(operation))
        return _Creation(endpoints, self._ids[operation.creates], incoming)

    def _place(self, operation: Operation) -> tuple[Endpoints, str]:
        if operation.method not in METHODS:
            raise InvalidSyntax(f"The method of an operation is one of {', '.join(METHODS)}.")
        *place, resource_id = _segments(resolved(operation.path, self._id_of)) or ("",)
        endpoints = self._bulk.places.get(tuple(place))
        if endpoints is None:
            raise NotFound(f"The path of a {operation.method} is a resource, such as /Users/<id>.")
        return endpoints, resource_id

    def _data(self, operation: Operation) -> Document:
        if not isinstance(operation.data, dict):
            raise InvalidSyntax(f"A {operation.method} needs an object in data.")
        return dict(resolved(operation.data, self._id_of))

    def _id_of(self, name: str) -> str:
        if name not in self._ids:
            raise InvalidValue(f"No POST of this request has the bulkId {name!r}.")
        if self._makers[name] in self._failed:
            raise Conflict(f"It refers to bulkId:{name}, which was refused.")
        return self._ids[name]

    def _succeed(self, number: int, endpoints: Endpoints, state: State | None) -> None:
        answer = self._answer(number, METHODS[self._operations[number].method])
        if state is None:
            answer["location"] = self._location(number)
        else:
            answer["location"] = endpoints.shape.location(state.resource)
            answer["version"] = etag(state.resource.version)

    def _fail_all(self, ring: Sequence[int], error: ScimError) -> None:
        for number in ring:
            self._fail(number, error)

    def _fail(self, number: int, error: ScimError) -> None:
        self._failed.add(number)
        answer = self._answer(number, error.status)
        if self._operations[number].method != "POST":
            answer["location"] = self._location(number)
        answer["response"] = refusal(error).document

    def _answer(self, number: int, status: int) -> Document:
        operation = self._operations[number]
        bulk_id = {"bulkId": operation.bulk_id} if operation.bulk_id else {}
        answer = {"method": operation.method, **bulk_id, "status": str(status)}
        self.answers[number] = answer
        return answer

    def _location(self, number: int) -> str:
        path = resolved(self._operations[number].path, lambda n: self._ids.get(n, f"bulkId:{n}"))
        return f"{self._bulk.base_url}/{path.lstrip('/')}"


def _segments(path: str) -> tuple[str, ...]:
    return tuple(filter(None, path.split("/")))


def _joining(member_ids: Sequence[str]) -> Change:
    edits = (AddMembers(tuple(member_ids)),) if member_ids else ()

    def make(before: Resource) -> Changed:
        return Changed(before.attributes, edits)

    return make


def _blaming(number: int, work: Callable[..., T], *args: Any) -> T:
    """Return what `work` returns; raises _Refused with the number for a ScimError."""
    try:
        return work(*args)
    except ScimError as error:
        raise _Refused(number, error) from error
