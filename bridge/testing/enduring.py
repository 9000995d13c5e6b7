"""Laws of endurance: size, hostile text, secrets, and a target in trouble.

Rule: whatever happens, the outcome is one of the closed set and the target ends up right.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from bridge.plugin import BackendDown, InDoubt, NotApplied, Park, RetryLater, Secret
from bridge.testing.harness import Carrier
from bridge.testing.journeys import JOURNEYS
from bridge.testing.world import World

BIG = 10_000
"""Members of a big group; the slow law takes ten times as many."""

SMALL_CHARACTERS = 2_000
"""Longest plan for one member more or less, however big the group is."""

HOSTILE: dict[str, str] = {
    "quotes": 'O\'Brien "the" `x`',
    "sql": "'; DROP TABLE users; --",
    "sql-comment": "x/*",
    "percent": "100%s %(x)s %d :name ? {0}",
    "backslashes": "\\\\a\\, b\\2c",
    "dn": "x,ou=admins+cn=y;dc=z",
    "ldap-filter": "*)(uid=*",
    "leading-hash": "#616263",
    "spaces-around": " x ",
    "one-space": " ",
    "newline": "line\r\nlocation: /evil",
    "escape": "\x1b[31mred",
    "non-ascii": "Åsa Öberg 株式会社",
    "astral": "\U0001d4b3 👩‍👩‍👧",
    "right-to-left": "\u202eevil\u202c",
    "combining": "e\u0301 versus \u00e9",
    "long": "x" * 2_000,
    "template": "{{7*7}} ${jndi:ldap://x} <script>",
}
"""Names that somebody will have, or will try."""


class EnduringLaws:
    """Size, hostility, secrets, trouble."""

    def test_big_group_costs_its_change_only(self, carrier: Carrier, world: World) -> None:
        self._big_group(carrier, world, BIG)

    @pytest.mark.slow
    def test_very_big_group_costs_its_change_only(self, carrier: Carrier, world: World) -> None:
        self._big_group(carrier, world, 10 * BIG)

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_hostile_text_arrives_as_it_is_or_is_refused(
        self, carrier: Carrier, world: World, text: str
    ) -> None:
        carrier.carry(world.user("bob"))
        for handle, change in {
            "ann": world.user("ann", name={"givenName": text, "familyName": text}),
            "eve": world.user("eve", userName=text),
            "sales": world.group("sales", "bob", name=text),
        }.items():
            try:
                carrier.carry(change)
            except Park as refusal:
                assert refusal.reason
                world.forget(handle)
        carrier.expect()

    def test_no_secret_is_ever_shown(self, carrier: Carrier, world: World) -> None:
        if not carrier.harness.secrets:
            pytest.skip("the harness knows no secret")
        shown = [repr(carrier.backend), *map(repr, carrier.backend.check())]
        for change in JOURNEYS["renames-a-user"](world):
            plan = carrier.plan(change)
            shown += [str(plan), repr(plan), repr(carrier.carry(change))]
        for secret in carrier.harness.secrets:
            assert not any(secret in text for text in shown)

    def test_password_is_never_shown(self, carrier: Carrier, world: World) -> None:
        text = "correct-horse-battery"
        for change in (
            world.user("ann", password=Secret(text)),
            world.password("ann", Secret(text + "-2")),
        ):
            plan = carrier.plan(change)
            assert text not in f"{plan} {plan!r} {carrier.carry(change)!r}"
        carrier.expect()

    def test_check_of_a_good_target_finds_nothing_wrong(self, carrier: Carrier) -> None:
        held = carrier.held()
        findings = carrier.backend.check()
        assert findings
        assert [f for f in findings if not f.ok] == []
        assert all(f.code.startswith("BRG-") and f.message for f in findings)
        assert carrier.held() == held

    def test_unreachable_target_is_reported_as_down(self, carrier: Carrier, world: World) -> None:
        backend = carrier.harness.unreachable()
        plan = backend.plan([world.user("ann")], {})
        for attempt in (backend.check, lambda: backend.execute(plan)):
            started = time.monotonic()
            with pytest.raises(BackendDown):
                attempt()
            assert time.monotonic() - started < carrier.harness.deadline_seconds
        backend.close()

    def test_target_that_does_not_answer_is_given_up_in_time(
        self, carrier: Carrier, world: World
    ) -> None:
        carrier.carry(world.user("ann"))
        change = world.update("ann", title="Lead")
        plan = carrier.plan(change)
        with carrier.harness.stalled():
            started = time.monotonic()
            with pytest.raises(NotApplied):
                carrier.backend.execute(plan)
            assert time.monotonic() - started < carrier.harness.deadline_seconds
        carrier.restart()
        _patiently(lambda: carrier.again(change))  # it may be busy with what it was sent before
        carrier.expect()

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

    def test_slots_work_side_by_side(self, carrier: Carrier, world: World) -> None:
        changes = [world.user(f"user-{n}") for n in range(24)]
        slots = [Carrier(carrier.harness, world) for _ in range(4)]
        start = threading.Barrier(len(slots))

        def work(slot: int) -> None:
            start.wait()
            for change in changes[slot :: len(slots)]:
                _patiently(partial(slots[slot].carry, change))
            slots[slot].backend.close()

        with ThreadPoolExecutor(len(slots)) as pool:
            list(pool.map(work, range(len(slots))))
        carrier.expect()

    def _big_group(self, carrier: Carrier, world: World, size: int) -> None:
        handles = [f"user-{n}" for n in range(size + 1)]
        carrier.links.update(carrier.harness.stand_ins([world.id(each) for each in handles]))
        carrier.carry(world.group("all", *handles[:size]))
        for change in (
            world.members("all", add=handles[size:]),
            world.members("all", remove=handles[:1]),
        ):
            assert len(str(carrier.plan(change))) < SMALL_CHARACTERS
            carrier.carry(change)
        carrier.expect()


def _patiently(attempt: Callable[[], object]) -> None:
    """Attempt again, as the host would, while the target asks for it."""
    for tries in range(50):
        try:
            attempt()
        except (RetryLater, InDoubt, BackendDown):
            time.sleep(0.01 * tries)
        else:
            return
    pytest.fail("the target never takes it")
