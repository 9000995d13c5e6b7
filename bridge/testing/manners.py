"""Laws of manners: a backend says what it is, opens when asked, and leaves nothing behind.

Rule: what a backend shares with the host's process (threads, files, the terminal) is as before.
"""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge.plugin import (
    CONTRACT_VERSION,
    Backend,
    BackendDown,
    Link,
    NotApplied,
    Plan,
    Receipt,
    Secret,
)
from bridge.testing.harness import BackendHarness, Carrier
from bridge.testing.journeys import JOURNEYS
from bridge.testing.world import World

OPENED = 25
"""How often a backend is opened and closed to see whether it leaves something behind."""

OPEN_FILES = Path("/proc/self/fd")
"""What this process has open, where the system shows it (Linux)."""

PASSWORD = "correct-horse-battery"  # noqa: S105 - what must not be shown


class MannersLaws:
    """What a backend is to the process that it runs in."""

    def test_type_says_what_it_is(self, harness: BackendHarness) -> None:
        kind = harness.type
        assert kind.name.replace("-", "").replace("_", "").isalnum()
        assert kind.name == kind.name.lower()
        assert kind.summary.strip()
        assert "\n" not in kind.summary
        assert kind.contract == CONTRACT_VERSION

    def test_every_setting_says_what_it_means(self, harness: BackendHarness) -> None:
        assert attrs.has(harness.type.settings)
        assert list(_without_meaning(harness.type.settings)) == []

    def test_opening_and_planning_need_no_target(
        self, harness: BackendHarness, world: World
    ) -> None:
        backend = harness.unreachable()
        assert isinstance(backend, Backend)
        assert backend.plan([world.user("ann")], {}).steps
        backend.close()

    def test_receipt_is_of_what_was_asked_for(self, carrier: Carrier, world: World) -> None:
        for change in JOURNEYS["deletes-a-member"](world):
            receipt = carrier.carry(change)
            assert isinstance(receipt, Receipt)
            for link in receipt.links:
                assert isinstance(link, Link)
                assert link.resource_id in {change.entity.id, *change.references}
                assert link.target_id
                assert "\0" not in f"{link.target_id}{link.name}"

    def test_empty_plan_writes_nothing(self, carrier: Carrier, world: World) -> None:
        ann = world.user("ann")
        carrier.carry(ann)
        held = carrier.held()
        assert isinstance(carrier.backend.execute(Plan(ann.entity, ann.version)), Receipt)
        assert carrier.held() == held

    def test_check_of_a_good_target_finds_nothing_wrong(self, carrier: Carrier) -> None:
        held = carrier.held()
        findings = carrier.backend.check()
        assert findings
        assert [f for f in findings if not f.ok] == []
        assert all(f.code.startswith("BRG-") and f.message for f in findings)
        assert carrier.held() == held

    def test_no_secret_is_ever_shown(self, carrier: Carrier, world: World) -> None:
        secrets = _secrets(carrier)
        shown = [repr(carrier.backend), *map(repr, carrier.backend.check())]
        for change in JOURNEYS["renames-a-user"](world):
            plan = carrier.plan(change)
            shown += [str(plan), repr(plan), repr(carrier.carry(change))]
        for secret in secrets:
            assert not any(secret in text for text in shown)

    def test_no_secret_is_shown_in_trouble(self, carrier: Carrier, world: World) -> None:
        secrets = _secrets(carrier)
        backend = carrier.harness.unreachable()
        plan = backend.plan([world.user("ann")], {})
        for attempt in (backend.check, lambda: backend.execute(plan)):
            with pytest.raises(NotApplied) as trouble:
                attempt()
            told = f"{trouble.value} {trouble.value!r} {backend!r}"
            assert not any(secret in told for secret in secrets)
        backend.close()

    def test_password_is_never_shown(self, carrier: Carrier, world: World) -> None:
        for change in (
            world.user("ann", password=Secret(PASSWORD)),
            world.password("ann", Secret(f"{PASSWORD}-2")),
        ):
            plan = carrier.plan(change)
            assert PASSWORD not in f"{plan} {plan!r} {carrier.carry(change)!r}"
        carrier.expect()

    def test_nothing_secret_is_logged_and_nothing_printed(
        self,
        carrier: Carrier,
        world: World,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        carrier.restart()
        carrier.backend.check()
        carrier.carry(world.user("ann", password=Secret(PASSWORD)))
        assert capfd.readouterr() == ("", "")
        for secret in (PASSWORD, *carrier.harness.secrets):
            assert secret not in caplog.text

    def test_unreachable_target_is_reported_as_down(self, carrier: Carrier, world: World) -> None:
        backend = carrier.harness.unreachable()
        plan = backend.plan([world.user("ann")], {})
        for attempt in (backend.check, lambda: backend.execute(plan)):
            started = time.monotonic()
            with pytest.raises(BackendDown):
                attempt()
            assert time.monotonic() - started < carrier.harness.deadline_seconds
        backend.close()

    def test_close_never_raises_and_a_new_backend_goes_on(
        self, carrier: Carrier, world: World
    ) -> None:
        carrier.backend.close()
        carrier.restart()
        carrier.carry(world.user("ann"))
        carrier.backend.close()
        carrier.backend.close()
        carrier.restart()
        carrier.carry(world.update("ann", title="Lead"))
        carrier.expect()

    def test_what_is_closed_leaves_nothing_behind(self, carrier: Carrier, world: World) -> None:
        carrier.carry(world.user("ann"))
        carrier.restart()
        before = _left_open()
        for turn in range(OPENED):
            carrier.carry(world.update("ann", title=f"Lead {turn}"))
            carrier.restart()
        threads, files = (now - then for now, then in zip(_left_open(), before, strict=True))
        assert threads < OPENED // 2, f"{threads} threads more after {OPENED} backends"
        assert files < OPENED // 2, f"{files} open files more after {OPENED} backends"


def _without_meaning(settings: type[Any]) -> Iterator[str]:
    """Return the settings that do not say what they mean; a table of them has its own."""
    for field in attrs.fields(attrs.resolve_types(settings)):
        if field.type is not None and attrs.has(field.type) and field.type is not Secret:
            yield from _without_meaning(field.type)
        elif not field.metadata.get("meaning"):
            yield field.name


def _secrets(carrier: Carrier) -> tuple[str, ...]:
    if not carrier.harness.secrets:
        pytest.skip("the harness knows no secret")
    return tuple(carrier.harness.secrets)


def _left_open() -> tuple[int, int]:
    """Return how many threads and open files this process has."""
    files = len(list(OPEN_FILES.iterdir())) if OPEN_FILES.is_dir() else 0
    return threading.active_count(), files
