"""The keys of a `[[backends]]` table of type "webhook".

Rule: what can be checked without the receiver is checked here, by name.
"""

import ipaddress
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import attrs

from bridge.plugin import FOLDER, WORKSPACE, Secret
from bridge_webhook.signing import Signer, signer
from bridge_webhook.tokens import TokenSettings

SMALLEST_BODY_BYTES = 1_000
ENTITIES = {
    "user": {"User"},
    "group": {"Group"},
    "workspace": {WORKSPACE},
    "folder": {FOLDER},
    "access": {WORKSPACE, FOLDER},
}
"""Entity types by the first part of an event type, where that is known before any event."""

_EVENT_TYPE = re.compile(r"[a-z0-9_-]+\.([a-z]+|\*)")

_ADDRESS = re.compile(r"https?://[\x21-\x7e]+")


def _positive(_instance: object, field: Any, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{field.name} must be greater than 0, not {value}")


@attrs.frozen
class Settings:
    """Where events go, how they are signed, and what is allowed on the way."""

    url: str = attrs.field(
        metadata={"meaning": "Address of the receiver; https, or http inside `allow_networks`."}
    )
    secret: Secret = attrs.field(
        metadata={
            "meaning": "Signs every event: whsec_ and base64 of 24 to 64 bytes (shared), or whsk_ "
            "and base64 of an ed25519 private key."
        }
    )
    old_secrets: tuple[Secret, ...] = attrs.field(
        default=(), metadata={"meaning": "Secrets being rotated out; they sign as well."}
    )
    allow_networks: tuple[str, ...] = attrs.field(
        default=(),
        metadata={
            "meaning": "Networks (10.1.0.0/16, ::1/128) that may be reached although they are not "
            "public, with http too. Default: public addresses with https only."
        },
    )
    ca_file: Path | None = attrs.field(
        default=None,
        metadata={"meaning": "PEM file of the authorities to trust instead of the system's."},
    )
    timeout_seconds: float = attrs.field(
        default=9.0,
        validator=_positive,
        metadata={
            "meaning": "Longest time for one delivery, from connecting to the last byte; keep it "
            "below a third of `lease_seconds`."
        },
    )
    body_bytes: int = attrs.field(
        default=20_000,
        metadata={
            "meaning": "Largest event, in bytes; above it a group's members are only counted."
        },
    )

    content: Literal["full", "delta"] = attrs.field(
        default="full",
        metadata={
            "meaning": "What an update says of the resource: all its attributes, or only those "
            "that differ (null for one that is gone)."
        },
    )
    types: frozenset[str] = attrs.field(
        default=frozenset(),
        metadata={
            "meaning": "Types of events to send (`user.created`, or `user.*` for all of a user). "
            "Default: all."
        },
    )
    organizations: frozenset[str] = attrs.field(
        default=frozenset(),
        metadata={"meaning": "Ids of the organizations whose events are sent. Default: all."},
    )
    workspaces: frozenset[str] = attrs.field(
        default=frozenset(),
        metadata={
            "meaning": "Ids of workspaces: only their events and those of their folders are sent, "
            "none about users or groups."
        },
    )
    token: TokenSettings | None = attrs.field(
        default=None,
        metadata={
            "meaning": "Send security event tokens (RFC 9967) instead of JSON events: SCIM events "
            "as signed JWTs."
        },
    )

    @url.validator
    def _address(self, _field: Any, value: str) -> None:
        if not _ADDRESS.fullmatch(value):
            raise ValueError("url is not an http(s):// address")
        address = urlsplit(value)
        if address.hostname is None or address.port == 0:
            raise ValueError("url names no host, or port 0")
        if address.username is not None or address.password is not None or address.fragment:
            raise ValueError("url may hold neither a user, nor a password, nor a fragment")

    @secret.validator
    @old_secrets.validator
    def _well_formed(self, field: Any, value: Secret | tuple[Secret, ...]) -> None:
        for secret in value if isinstance(value, tuple) else (value,):
            try:
                signer(secret)
            except ValueError as error:
                raise ValueError(f"{field.name}: {error}") from None

    @allow_networks.validator
    def _networks(self, field: Any, value: tuple[str, ...]) -> None:
        for text in value:
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                raise ValueError(f"{field.name}: {error}") from None

    @types.validator
    def _event_types(self, field: Any, value: frozenset[str]) -> None:
        for text in sorted(value):
            if not _EVENT_TYPE.fullmatch(text):
                raise ValueError(f"{field.name}: {text!r} is no type of event (user.created)")

    @body_bytes.validator
    def _big_enough(self, field: Any, value: int) -> None:
        if value < SMALLEST_BODY_BYTES:
            raise ValueError(f"{field.name} must be {SMALLEST_BODY_BYTES} or more, not {value}")

    def wants(self, event_type: str) -> bool:
        """Return whether events of this type are to be sent."""
        first = event_type.partition(".")[0]
        return not self.types or event_type in self.types or f"{first}.*" in self.types

    @property
    def entities(self) -> frozenset[str] | None:
        """The entity types that can have an event that is wanted; None for all of them."""
        firsts = {text.partition(".")[0] for text in self.types}
        if self.workspaces:
            return frozenset({WORKSPACE, FOLDER})
        if not firsts or not firsts <= ENTITIES.keys():
            return None
        return frozenset().union(*(ENTITIES[first] for first in firsts))

    @property
    def address(self) -> SplitResult:
        """The parts of `url`."""
        return urlsplit(self.url)

    @property
    def signers(self) -> tuple[Signer, ...]:
        """One per secret, the current one first."""
        return tuple(signer(secret) for secret in (self.secret, *self.old_secrets))
