"""The hook that registers the backend type "webhook", and the backend.

Rule: the backend only connects its parts; each knows its own half of the work.
"""

from collections.abc import Mapping, Sequence

from bridge.plugin import (
    WEBHOOK,
    BackendType,
    ChangeRecord,
    Finding,
    Link,
    Observed,
    Plan,
    Receipt,
    hookimpl,
)
from bridge_webhook import planning
from bridge_webhook.client import Client
from bridge_webhook.settings import Settings


class WebhookBackend:
    """One slot's connection to a receiver of webhooks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = Client(settings)

    def check(self) -> Sequence[Finding]:
        return self._client.check()

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],  # noqa: ARG002 - events name resources by SCIM id
        observed: Observed | None = None,  # noqa: ARG002 - a receiver cannot be read
    ) -> Plan:
        return planning.plan(self._settings, changes)

    def execute(self, plan: Plan) -> Receipt:
        return self._client.execute(plan)

    def close(self) -> None:
        self._client.close()


@hookimpl
def bridge_backend_types() -> Sequence[BackendType]:
    return [
        BackendType(
            name="webhook",
            summary="Every change as a signed HTTP request (Standard Webhooks)",
            settings=Settings,
            open=WebhookBackend,
            coalesces=False,
            schedule=WEBHOOK,
            takes=lambda settings: settings.entities,
            discloses=True,
        )
    ]
