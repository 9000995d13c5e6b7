"""A plan is executed as it reads, and exactly once, whoever else executes what and when."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge.plugin import Backend, NotApplied, Plan, RetryLater, Surprise
from bridge.testing import Carrier, FaultProxy, World
from bridge.testing.journeys import JOURNEYS
from plugins.sql_backend.tests.harness import (
    TABLES,
    ServerHarness,
    SqlHarness,
    SqliteHarness,
)
from tests.servers import Server


@pytest.fixture
def carrier(target: SqlHarness) -> Iterator[Carrier]:
    carrier = Carrier(target, World())
    yield carrier
    carrier.backend.close()


def content(target: SqlHarness) -> dict[str, list[Any]]:
    """Return every row of every table, in order."""
    return {table: sorted(target.run(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


@pytest.mark.parametrize("journey", JOURNEYS.values(), ids=JOURNEYS)
def test_the_printed_text_does_what_the_execution_does(tmp_path: Path, journey: Any) -> None:
    targets = []
    for name in ("executed", "typed-in"):
        (tmp_path / name).mkdir()
        targets.append(SqliteHarness(tmp_path / name))
        with contextlib.closing(targets[-1].open()) as backend:
            backend.execute(backend.plan([World("warm-up").user("ann")], {}))
    executed, typed_in = targets
    carrier = Carrier(executed, World())
    for change in journey(carrier.world):
        typed_in.plain.executescript(str(carrier.plan(change)))
        carrier.carry(change)
        assert content(typed_in) == content(executed)
    carrier.backend.close()
    for target in targets:
        target.close()


def test_a_late_repetition_changes_nothing(carrier: Carrier, target: SqlHarness) -> None:
    plans: list[Plan] = []
    for change in JOURNEYS["deletes-a-member"](carrier.world):
        plans.append(carrier.plan(change))
        carrier.carry(change)
    before = content(target)
    for plan in plans:
        assert carrier.backend.execute(plan).already
    assert content(target) == before


def test_an_older_plan_that_comes_late_finds_its_place_taken(
    carrier: Carrier, target: SqlHarness
) -> None:
    ann = carrier.world.user("ann")
    late = carrier.plan(ann)  # in flight, and never heard of again, until everything is over
    (end,) = carrier.world.delete("ann")
    carrier.settle(end.entity.id)
    before = content(target)
    assert carrier.backend.execute(late).already
    assert content(target) == before
    assert target.held("acme") == {}


def test_a_plan_that_starts_elsewhere_is_a_surprise_and_nothing_is_done(
    carrier: Carrier, target: SqlHarness
) -> None:
    world = carrier.world
    carrier.carry(world.user("ann"))
    world.update("ann", title="One")
    third = world.update("ann", title="Two")
    before = content(target)
    with pytest.raises(Surprise):
        carrier.backend.execute(carrier.plan(third))
    assert content(target) == before
    carrier.carry(third)
    carrier.expect()


def test_of_many_at_once_exactly_one_is_executed(target: SqlHarness) -> None:
    world, first = World(), target.open()
    first.execute(first.plan([world.group("all")], {}))
    change = world.members("all", add=[f"user-{n}" for n in range(50)])
    backends = [target.open() for _ in range(6)]
    start = threading.Barrier(len(backends))

    def race(backend: Backend) -> bool:
        plan = backend.plan([change], {})
        start.wait()
        for _ in range(20):
            with contextlib.suppress(RetryLater):
                return not backend.execute(plan).already
        raise AssertionError("no end of retries")

    with ThreadPoolExecutor(len(backends)) as pool:
        assert sum(pool.map(race, backends)) == 1
    assert target.held("acme") == world.expected()
    for backend in (first, *backends):
        backend.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
@pytest.mark.parametrize("trouble", ["lose_answers", "black_hole", "break_connections"])
def test_an_answer_that_is_lost_is_made_up_for(
    request: pytest.FixtureRequest, kind: str, trouble: str
) -> None:
    server: Server = request.getfixturevalue(kind)
    target: ServerHarness = request.getfixturevalue(f"{kind}_target")
    with FaultProxy("127.0.0.1", server.url.port or 0) as proxy:
        through = server.url.set(
            host="127.0.0.1", port=proxy.port, database=target.database, password=None
        )
        target.settings = attrs.evolve(target.settings, url=str(through), timeout_seconds=1)
        carrier = Carrier(target, World())
        carrier.carry(carrier.world.user("ann"))
        change = carrier.world.update("ann", title="Lead")
        plan = carrier.plan(change)
        getattr(proxy, trouble)()
        if trouble == "break_connections":
            with contextlib.suppress(NotApplied):
                carrier.backend.execute(plan)
        else:
            with pytest.raises(RetryLater):
                carrier.backend.execute(plan)
        proxy.heal()
        patiently(carrier, plan)
        carrier.expect()
        (row,) = target.run("SELECT version, title FROM users")
        assert tuple(row) == (2, "Lead")
        carrier.backend.close()


def patiently(carrier: Carrier, plan: Plan) -> None:
    """Execute until the target answers; the server may still hold the lost transaction's locks."""
    for _ in range(5):
        with contextlib.suppress(RetryLater):
            carrier.backend.execute(plan)
            return
    pytest.fail("no end of retries")


def test_sqlite_reader_does_not_take_the_write_lock(sqlite_target: SqlHarness) -> None:
    world = World()
    with contextlib.closing(Carrier(sqlite_target, world).backend) as backend:
        backend.execute(backend.plan([world.user("ann")], {}))
        sqlite_target.run("BEGIN IMMEDIATE")
        try:
            (seen,) = backend.observe([world.snapshot(world.id("ann"))], {})  # type: ignore[attr-defined]
        finally:
            sqlite_target.run("ROLLBACK")
    assert seen.link is not None
