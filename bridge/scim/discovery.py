"""What the service provider says about itself (RFC 7643 sections 5 to 7, RFC 7644 section 4).

The documents are made once, from the registry that also drives everything else, so that what is
published is what is done. They hold nothing of any organization and need no credentials.

Rule: a discovery document is derived, never written by hand beside the thing it describes.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from bridge.core.schema import (
    Registry,
    ResourceType,
    Schema,
    resource_type_to_data,
    schema_to_data,
)
from bridge.scim import urns
from bridge.scim.settings import ScimSettings

Document = dict[str, Any]

_BEARER: Document = {
    "type": "oauthbearertoken",
    "name": "Bearer token",
    "description": "An access token of a connection, in the Authorization header.",
    "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
    "primary": True,
}
_BASIC: Document = {
    "type": "httpbasic",
    "name": "Basic",
    "description": "An access token as the password, where the connection's profile allows it.",
    "specUri": "https://www.rfc-editor.org/rfc/rfc7617",
    "primary": False,
}


@attrs.frozen
class Discovery:
    """The three discovery endpoints' documents; the two lists also by name or URN."""

    service_provider_config: Document
    resource_types: Mapping[str, Document]
    schemas: Mapping[str, Document]

    def schema(self, urn: str) -> Document | None:
        """Return one schema by its URN, in any case."""
        return self.schemas.get(urn.lower())


def describe(registry: Registry, base_url: str, settings: ScimSettings) -> Discovery:
    """Return the discovery documents of what `registry` and `settings` make the bridge serve."""
    return Discovery(
        service_provider_config=_service_provider_config(base_url, settings),
        resource_types={t.name: _resource_type(t, base_url) for t in registry.resource_types},
        schemas={s.id.lower(): _schema(s, base_url) for s in registry.schemas},
    )


def _service_provider_config(base_url: str, settings: ScimSettings) -> Document:
    return {
        "schemas": [urns.SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": True},
        "bulk": {
            "supported": True,
            "maxOperations": settings.bulk_operations,
            "maxPayloadSize": settings.body_bytes,
        },
        "filter": {"supported": True, "maxResults": settings.page_limit},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": settings.page_default,
            "maxPageSize": settings.page_limit,
            "cursorTimeout": settings.cursor_seconds,
        },
        "etag": {"supported": True},
        "authenticationSchemes": [_BEARER, _BASIC] if settings.basic_profiles else [_BEARER],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": f"{base_url}/ServiceProviderConfig",
        },
    }


def _resource_type(resource_type: ResourceType, base_url: str) -> Document:
    return {
        "schemas": [urns.RESOURCE_TYPE],
        **resource_type_to_data(resource_type),
        "meta": {
            "resourceType": "ResourceType",
            "location": f"{base_url}/ResourceTypes/{resource_type.name}",
        },
    }


def _schema(schema: Schema, base_url: str) -> Document:
    return {
        "schemas": [urns.SCHEMA],
        **schema_to_data(schema),
        "meta": {"resourceType": "Schema", "location": f"{base_url}/Schemas/{schema.id}"},
    }
