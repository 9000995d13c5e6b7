"""Many plans at once: each entity ends as it would have ended alone."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bridge.engine.inbox import TOGETHER, Inbox
from bridge.journal import backends
from bridge.journal.deliveries import DeliveryState
from bridge.plugin import BackendDown, NotApplied, Park, Plan, Receipt, RetryLater
from tests.unit.engine.house import House, Looking, Target, delivering, eventually, house

pytestmark = pytest.mark.anyio

Together = Callable[[Sequence[Plan]], Sequence[Receipt | NotApplied]]


class Batching(Looking):
    """A backend that takes many plans at once."""

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        assert isinstance(self.target, Wide)
        self.target.sizes.append(len(plans))
        self.target.before(plans)
        outcomes: list[Receipt | NotApplied] = []
        for plan in plans[: self.target.most]:
            try:
                outcomes.append(self.execute(plan))
            except NotApplied as refusal:
                outcomes.append(refusal)
        return outcomes


class Wide(Target):
    """A far side for such a backend: how many plans came together, and what happens before."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.before: Callable[[Sequence[Plan]], None] = lambda _: None
        self.most = TOGETHER

    def open(self, *, looking: bool) -> Batching:
        super().open(looking=looking)
        return Batching(self, self.connections)


async def backlog(here: House, count: int) -> list[str]:
    await here.write(lambda tx: backends.add(tx, "far", "scripted"))
    return [await here.user(f"user{n}") for n in range(count)]


async def test_a_backlog_is_delivered_together_and_each_version_once(tmp_path: Path) -> None:
    target = Wide()
    async with house(tmp_path, target=target, running=False) as here:
        people = await backlog(here, 200)
        async with delivering(here):
            await here.in_sync(*people, seconds=30)
        assert max(target.sizes) > 1
        assert max(target.sizes) <= TOGETHER
        assert all(target.versions(id_) == [1] for id_ in people)


async def test_one_that_is_refused_takes_no_other_with_it(tmp_path: Path) -> None:
    target = Wide()

    def refuse(write: object) -> None:
        if getattr(write, "document", {}).get("userName") == "user40":
            raise Park("user40 is poison", "Mend it.")

    target.behave = refuse
    async with house(tmp_path, target=target, running=False) as here:
        people = await backlog(here, 80)
        poison = people.pop(40)
        async with delivering(here):
            await here.in_sync(*people, seconds=30)
            parked = await here.until(poison, DeliveryState.PARKED, 30)
        assert parked.error == "user40 is poison"
        assert all(target.versions(id_) == [1] for id_ in people)


async def test_what_was_not_come_to_is_handed_back_and_counts_as_no_attempt(tmp_path: Path) -> None:
    target = Wide()
    target.most = 1
    async with house(tmp_path, target=target, running=False, slots=1) as here:
        people = await backlog(here, 60)
        async with delivering(here):
            await here.in_sync(*people, seconds=30)
            assert here.dispatcher.figures()["far"].outcomes.keys() <= {"Applied", "Undone"}
        assert all(target.versions(id_) == [1] for id_ in people)


async def test_what_had_trouble_goes_alone(tmp_path: Path) -> None:
    target = Wide()

    def trouble(_: Sequence[Plan]) -> None:
        raise RetryLater("a lock was not had in time")

    target.before = trouble
    async with house(tmp_path, target=target, running=False, slots=1) as here:
        people = await backlog(here, 40)
        async with delivering(here):
            await here.in_sync(*people, seconds=30)
        assert all(target.versions(id_) == [1] for id_ in people)


@pytest.mark.parametrize("error", [SystemExit(1), KeyError("x"), RecursionError()])
async def test_a_plugin_that_breaks_leaves_nobody_behind(
    tmp_path: Path, error: BaseException
) -> None:
    target = Wide()

    def break_down(_: Sequence[Plan]) -> None:
        raise error

    target.before = break_down
    async with house(tmp_path, target=target, running=False, slots=1) as here:
        people = await backlog(here, 40)
        async with delivering(here):
            await here.in_sync(*people, seconds=30)
        assert all(target.looks[id_] for id_ in people if target.versions(id_) != [1])


async def test_a_call_that_overruns_is_in_doubt_for_all_and_silences_nobody(
    tmp_path: Path,
) -> None:
    release, hung = threading.Event(), threading.Event()
    target = Wide()

    def hang(plans: Sequence[Plan]) -> None:
        if len(plans) > 1 and not hung.is_set():
            hung.set()
            release.wait(60)

    target.before = hang
    async with house(tmp_path, target=target, running=False, slots=2, lease_seconds=3) as here:
        people = await backlog(here, 30)
        async with delivering(here):
            await here.in_sync(*people, seconds=60)
            figures = here.dispatcher.figures()["far"]
            assert figures.outcomes["InDoubt"] > 1
            assert figures.circuit_opened == 0
            release.set()
            await eventually(lambda: here.dispatcher.figures()["far"].abandoned == 0, 30)
            await here.in_sync(*people, seconds=60)
        assert target.held.keys() == set(people)


async def test_a_target_that_is_down_opens_the_circuit_once(tmp_path: Path) -> None:
    target, down = Wide(), [True]

    def refuse(_: object) -> None:
        if down[0]:
            raise BackendDown("nobody is there")

    target.behave = refuse
    async with house(tmp_path, target=target, running=False) as here:
        people = await backlog(here, 100)
        async with delivering(here):
            await eventually(lambda: here.dispatcher.figures()["far"].circuit_opened == 1, 30)
            down[0] = False
            await here.in_sync(*people, seconds=30)
            assert here.dispatcher.figures()["far"].circuit_opened == 1


def test_the_inbox_waits_until_there_is_something() -> None:
    inbox, taken = Inbox(), []
    thread = threading.Thread(target=lambda: taken.append(inbox.take(1, TOGETHER)))
    thread.start()
    time.sleep(0.05)
    assert taken == []
    inbox.put(None)
    thread.join(30)
    assert taken == [[]]
