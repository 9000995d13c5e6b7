"""The routes of the SCIM endpoint.

Rule: a path that is known answers every method (405 with Allow); only unknown ones are 404, since
clients take 404 for "this resource is gone" and create it again.
"""

from collections.abc import Callable, Mapping
from functools import partial

from bridge.core.errors import Forbidden, NotFound, NotSupported
from bridge.core.schema import Registry
from bridge.journal.store import Journal
from bridge.scim import queries
from bridge.scim.application import Application, Authenticate, Handler, Route
from bridge.scim.bulk import Bulk
from bridge.scim.cursors import Cursors
from bridge.scim.discovery import Discovery, Document, describe
from bridge.scim.endpoints import Endpoints
from bridge.scim.everything import Everything
from bridge.scim.exchange import Answer, Request
from bridge.scim.rates import Rates
from bridge.scim.representation import Shape, list_response
from bridge.scim.service import Service
from bridge.scim.settings import ScimSettings
from bridge.scim.tolerated import MetQuirks, Tolerated
from bridge.scim.walking import Walking
from bridge.sealing import Sealer

MOUNT = "/scim"
VERSION = "v2"

Segments = tuple[str, ...]

_MOUNTED = (MOUNT.lstrip("/"), VERSION)


def scim_application(
    journal: Journal,
    registry: Registry,
    authenticate: Authenticate,
    settings: ScimSettings,
    sealer: Sealer,
    met: MetQuirks = lambda _profile, _quirks: None,
    full: Callable[[], bool] = lambda: False,
) -> Application:
    """Return the application that serves SCIM 2.0 below `/scim/v2`, and answers for all `/scim`."""
    rates = Rates(settings.connection_rate, settings.organization_rate)
    routes = Routes(journal, registry, settings, sealer, met, rates)
    return Application(routes.find, authenticate, rates, full)


class Routes:
    """Finds the route of a path."""

    def __init__(
        self,
        journal: Journal,
        registry: Registry,
        settings: ScimSettings,
        sealer: Sealer,
        met: MetQuirks,
        rates: Rates,
    ) -> None:
        base_url = f"{settings.public_url.rstrip('/')}{MOUNT}/{VERSION}"
        discovery = describe(registry, base_url, settings)
        self._fixed: dict[Segments, Route] = _discovery_routes(discovery)
        self._fixed[("Me",)] = _not_supported(
            "There is no /Me here: a token stands for a connection, not for a person.",
            *("GET", "POST", "PUT", "PATCH", "DELETE"),
        )
        self._items: dict[Segments, Endpoints] = {}
        self._discovery = discovery
        tolerated = Tolerated(journal, met)
        walking = Walking(Cursors(sealer, settings.cursor_seconds))
        for rtype in registry.resource_types:
            endpoints = Endpoints(
                Service(journal, rtype, sealer),
                Shape(rtype, registry, base_url),
                settings,
                walking,
                tolerated,
            )
            place = tuple(filter(None, rtype.endpoint.split("/")))
            about = rtype.name
            self._fixed[place] = Route(
                {"GET": endpoints.page, "POST": endpoints.create}, type=about
            )
            self._fixed[(*place, ".search")] = Route(
                {"POST": endpoints.search}, type=about, reads=True
            )
            self._items[place] = endpoints
        bulk = Bulk(self._items, base_url, settings, rates)
        self._fixed[("Bulk",)] = Route({"POST": bulk.answer})
        everything = Everything(tuple(self._items.values()))
        self._fixed[()] = Route({"GET": everything.page})
        self._fixed[(".search",)] = Route({"POST": everything.search}, reads=True)

    def find(self, segments: Segments) -> Route | None:
        """Return the route of `segments`, or None where there is nothing."""
        if segments[:2] != _MOUNTED:
            return None
        path = segments[2:]
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed
        endpoints = self._items.get(path[:-1])
        if endpoints is not None:
            return _item(endpoints, path[-1])
        return self._described(path)

    def _described(self, path: Segments) -> Route | None:
        match path:
            case ("Schemas", urn):
                return _document(self._discovery.schema(urn), f"There is no schema {urn}.")
            case ("ResourceTypes", name):
                found = self._discovery.resource_types.get(name)
                return _document(found, f"There is no resource type {name}.")
        return None


def _item(endpoints: Endpoints, resource_id: str) -> Route:
    return Route(
        {
            "GET": partial(endpoints.read, resource_id=resource_id),
            "PUT": partial(endpoints.replace, resource_id=resource_id),
            "PATCH": partial(endpoints.patch, resource_id=resource_id),
            "DELETE": partial(endpoints.delete, resource_id=resource_id),
        },
        type=endpoints.shape.rtype.name,
    )


def _discovery_routes(discovery: Discovery) -> dict[Segments, Route]:
    return {
        ("ServiceProviderConfig",): _document(discovery.service_provider_config),
        ("Schemas",): _documents(discovery.schemas),
        ("ResourceTypes",): _documents(discovery.resource_types),
    }


def _document(document: Document | None, missing: str = "") -> Route:
    async def show(request: Request) -> Answer:
        _refuse_filter(request)
        if document is None:
            raise NotFound(missing)
        return Answer(200, document)

    return Route({"GET": show}, open=True)


def _documents(documents: Mapping[str, Document]) -> Route:
    answer = Answer(200, list_response(list(documents.values()), len(documents), 1))

    async def show(request: Request) -> Answer:
        _refuse_filter(request)
        return answer

    return Route({"GET": show}, open=True)


def _refuse_filter(request: Request) -> None:
    # RFC 7644 section 4: query parameters are ignored here, except that a filter is forbidden.
    if "filter" in queries.parameters(request.query_string):
        raise Forbidden("Discovery endpoints cannot be filtered.")


def _not_supported(detail: str, *methods: str) -> Route:
    async def refuse(_request: Request) -> Answer:
        raise NotSupported(detail)

    handlers: dict[str, Handler] = dict.fromkeys(methods, refuse)
    return Route(handlers)
