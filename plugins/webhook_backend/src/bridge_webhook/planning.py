"""From changes to requests: one change, one signed POST for each of its events.

Rule: pure. What differs from attempt to attempt (time, signature) is not part of a step.
"""

from collections.abc import Sequence

import attrs

from bridge.plugin import ChangeRecord, Plan
from bridge_webhook import mapping
from bridge_webhook.mapping import Message
from bridge_webhook.settings import Settings


@attrs.frozen
class Post:
    """One event on its way to one receiver; the message's `body` is what is sent, to the byte."""

    host: str
    target: str = attrs.field(repr=False)  # a query may hold a token
    message: Message

    def __str__(self) -> str:
        path, _, query = self.target.partition("?")
        return "\n".join(
            [
                f"POST {path}{'?***' if query else ''} HTTP/1.1",
                f"host: {self.host}",
                f"content-type: {self.message.content_type}",
                f"webhook-id: {self.message.id}",
                "webhook-timestamp: (time of sending)",
                "webhook-signature: ***",
                "",
                _shown(self.message.shown),
            ]
        )


def plan(settings: Settings, changes: Sequence[ChangeRecord]) -> Plan:
    """Return one POST per event, in order; none for what the settings leave out.

    Raises Park when an event is too large.
    """
    address = settings.address
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    steps = tuple(
        Post(address.netloc, target, message)
        for change in changes
        for message in mapping.messages(change, settings)
    )
    return Plan(changes[-1].entity, changes[-1].version, steps)


def _shown(text: str) -> str:
    # Characters that would move a terminal or turn the reading direction are spelled out.
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)
