"""From a change record to what a receiver is sent: one message for each event of the change.

A message is the event as JSON, or the same event as a signed security event token. An event that
would be too large names no members or users and only counts them.

Rule: the same change is always the same messages, to the byte.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from bridge.plugin import ChangeRecord, Event, Park, events
from bridge_webhook.settings import Settings
from bridge_webhook.tokens import takes, token

JSON = "application/json"
SECEVENT = "application/secevent+jwt"  # RFC 8935 section 2.1


@attrs.frozen
class Message:
    """One event ready to be sent: `id` is its event's, `told` what a person reads of `body`."""

    id: str
    content_type: str
    body: str
    told: Mapping[str, Any] = attrs.field(eq=False, repr=False)

    @property
    def shown(self) -> str:
        """The event, or the claims of the token, on many lines."""
        return json.dumps(self.told, indent=2, ensure_ascii=False)


def messages(change: ChangeRecord, settings: Settings) -> tuple[Message, ...]:
    """Return what is to be sent for a change, in order. Raises Park when some event is too large.

    None for an event whose type, organization or workspace the settings leave out.
    """
    if not _wanted(change, settings):
        return ()
    return tuple(
        _message(event, change, settings)
        for event in events(change, delta=settings.content == "delta")
        if settings.wants(event.type)
    )


def _wanted(change: ChangeRecord, settings: Settings) -> bool:
    entity = change.entity
    if settings.token is not None and not takes(change):
        return False
    if settings.organizations and entity.organization not in settings.organizations:
        return False
    if not settings.workspaces:
        return True
    document = change.after if change.after is not None else change.before
    return bool(settings.workspaces & {entity.id, (document or {}).get("workspace")})


def _message(event: Event, change: ChangeRecord, settings: Settings) -> Message:
    message = _encoded(event, change, settings)
    if len(message.body.encode()) > settings.body_bytes and event.lists:
        message = _encoded(event.counted, change, settings)
    if (size := len(message.body.encode())) > settings.body_bytes:
        raise Park(
            f"the event has {size} bytes, more than {settings.body_bytes}",
            "Raise `body_bytes` of this backend, then `bridge deliveries retry`.",
        )
    return message


def _encoded(event: Event, change: ChangeRecord, settings: Settings) -> Message:
    if settings.token is None:
        body = json.dumps(event.envelope, ensure_ascii=False, separators=(",", ":"))
        return Message(event.id, JSON, body, event.envelope)
    claims, body = token(event, change, settings.token)
    return Message(event.id, SECEVENT, body, claims)
