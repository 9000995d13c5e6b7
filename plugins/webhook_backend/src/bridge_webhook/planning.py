"""From changes to requests: one change, one signed POST.

Rule: pure. What differs from attempt to attempt (time, signature) is not part of a step.
"""

import json
from collections.abc import Sequence

import attrs

from bridge.plugin import ChangeRecord, Plan
from bridge_webhook import mapping
from bridge_webhook.settings import Settings


@attrs.frozen
class Post:
    """One event on its way to one receiver; `body` is what is sent, to the byte."""

    host: str
    target: str = attrs.field(repr=False)  # a query may hold a token
    message_id: str
    body: str

    def __str__(self) -> str:
        path, _, query = self.target.partition("?")
        return "\n".join(
            [
                f"POST {path}{'?***' if query else ''} HTTP/1.1",
                f"host: {self.host}",
                "content-type: application/json",
                f"webhook-id: {self.message_id}",
                "webhook-timestamp: (time of sending)",
                "webhook-signature: ***",
                "",
                _shown(json.dumps(json.loads(self.body), indent=2, ensure_ascii=False)),
            ]
        )


def plan(settings: Settings, changes: Sequence[ChangeRecord]) -> Plan:
    """Return one POST per change, in order. Raises Park when an event is too large."""
    address = settings.address
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    steps = tuple(
        Post(
            address.netloc,
            target,
            mapping.message_id(change),
            mapping.body(change, settings.body_bytes),
        )
        for change in changes
    )
    return Plan(changes[-1].entity, changes[-1].version, steps)


def _shown(text: str) -> str:
    # Characters that would move a terminal or turn the reading direction are spelled out.
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)
