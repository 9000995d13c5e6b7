"""The delivery table: every row in the docstring of `bridge.core.delivery` is held to be true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import delivery
from bridge.core.delivery import (
    CIRCUIT_CAP_SECONDS,
    CIRCUIT_SECONDS,
    DEFER_CAP_SECONDS,
    DEFER_LIMIT_SECONDS,
    DEFER_SECONDS,
    DIRECTORY,
    IN_DOUBT_SECONDS,
    OWN_DELAY_CAP_SECONDS,
    VERIFY_SECONDS,
    WEBHOOK,
    Applied,
    Look,
    Outcome,
    Schedule,
    Standing,
    circuit_seconds,
    next_state,
)
from bridge.core.errors import BackendDown, Defer, InDoubt, Park, RetryLater, Surprise

COLUMNS = ("outcome", "applied", "waits", "attempts", "parked", "looks")


def table(text: str) -> dict[str, list[str]]:
    """Return the cells of the table in a docstring by the first cell of their row."""
    heading, *rows = text.split("\n\n")[1].splitlines()
    starts = [heading.index(column) for column in COLUMNS]
    cells = [
        [row[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
        for row in rows
    ]
    return {first: others for first, *others in cells}


ROWS = table(delivery.__doc__ or "")

standings = st.builds(
    Standing,
    applied=st.integers(0, 1000),
    attempts=st.integers(0, len(DIRECTORY.delays_seconds) + 1),
    look=st.sampled_from(Look),
    deferred_seconds=st.floats(0, 10_000),
    dependency_coming=st.booleans(),
    silent=st.booleans(),
)
reasons = st.text(max_size=20)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Applied, st.integers(0, 2000), st.booleans()),
    st.builds(Defer, reasons),
    st.builds(RetryLater, reasons, st.none() | st.floats()),
    st.builds(Surprise, reasons),
    st.builds(InDoubt, reasons),
    st.builds(Park, reasons, reasons),
    st.builds(BackendDown, reasons, st.none() | st.floats(0, 1000)),
)
jitters = st.floats(0, 1, exclude_max=True)


def row_of(standing: Standing, outcome: Outcome) -> str:
    name = type(outcome).__name__
    match outcome:
        case Applied() if standing.look is Look.TWICE:
            return "Applied, looked twice"
        case Applied(awaits=True) if not in_vain(standing):
            return "Applied, awaits another"
        case Surprise():
            return name + (", looked" if standing.look else ", trusted")
        case InDoubt() if standing.silent:
            return "InDoubt, all is silent"
    return name


def in_vain(standing: Standing) -> bool:
    """Whether another resource was waited for up to the limit, and is not coming."""
    return standing.deferred_seconds >= DEFER_LIMIT_SECONDS and not standing.dependency_coming


def exhausted(standing: Standing, outcome: Outcome) -> bool:
    """Whether a row that says "at end" or "at limit" has come to it."""
    if isinstance(outcome, Defer):
        return in_vain(standing)
    return standing.attempts >= len(DIRECTORY.delays_seconds)


def waits_of(was: Standing) -> dict[str, tuple[float, float]]:
    """Return the least and the longest delay that a cell under "waits" allows."""
    quarter = max(DEFER_SECONDS, min(was.deferred_seconds / 4, DEFER_CAP_SECONDS))
    left = DIRECTORY.delays_seconds[was.attempts :] or (0.0,)
    return {
        "no": (0, 0),
        "circuit": (0, 0),
        "VERIFY_SECONDS": (VERIFY_SECONDS, VERIFY_SECONDS),
        "a quarter of the wait": (quarter, quarter),
        "schedule": (left[0], left[0] * 1.2),
        "own delay or schedule": (0, OWN_DELAY_CAP_SECONDS),
        "schedule, IN_DOUBT_SECONDS": (
            max(left[0], IN_DOUBT_SECONDS),
            max(left[0] * 1.2, IN_DOUBT_SECONDS),
        ),
        "IN_DOUBT_SECONDS, circuit": (IN_DOUBT_SECONDS, IN_DOUBT_SECONDS),
    }


def looks_of(was: Standing, outcome: Outcome) -> dict[str, Look]:
    """Return what a cell under "looks next time" stands for."""
    before = Look.TRUST if isinstance(outcome, Applied) else was.look
    return {
        "no": Look.TRUST,
        "as before": before,
        "once": max(before, Look.ONCE),
        "once, to limit": Look.ONCE,
        "twice": Look.TWICE,
    }


def test_the_table_has_a_row_for_every_outcome() -> None:
    assert {name.split(",")[0] for name in ROWS} == {kind.__name__ for kind in Outcome.__args__}


@given(standings, outcomes, jitters)
def test_every_row_of_the_table_is_true(
    standing: Standing, outcome: Outcome, jitter: float
) -> None:
    applied, waits, attempts, parked, looks = ROWS[row_of(standing, outcome)]
    state = next_state(standing, outcome, DIRECTORY, jitter)

    if parked == "yes" or (parked in ("at end", "at limit") and exhausted(standing, outcome)):
        assert state.parked
        assert not state.settled
        assert state.applied == standing.applied
        assert state.attempts == standing.attempts
        assert state.look == max(standing.look, Look.ONCE)
        return
    assert not state.parked
    assert applied == ("forward" if isinstance(outcome, Applied) else "stays")
    version = outcome.version if isinstance(outcome, Applied) else 0
    assert state.applied == max(standing.applied, version)
    assert (
        state.attempts
        == {"0": 0, "stays": standing.attempts, "+1": standing.attempts + 1}[attempts]
    )
    least, longest = waits_of(standing)[waits]
    assert least <= state.delay_seconds <= longest
    assert state.opens_circuit == ("circuit" in waits)
    assert state.look == looks_of(standing, outcome)[looks]


@given(standings, outcomes, jitters)
def test_nothing_goes_back_and_only_an_applied_change_is_settled(
    standing: Standing, outcome: Outcome, jitter: float
) -> None:
    state = next_state(standing, outcome, DIRECTORY, jitter)
    assert state.applied >= standing.applied
    waits = row_of(standing, outcome) == "Applied, awaits another"
    verifies = standing.look is Look.TWICE
    assert state.settled == (isinstance(outcome, Applied) and not (verifies or waits))
    assert state.deferring == (waits or (isinstance(outcome, Defer) and not state.parked))
    assert (state.error is None) == isinstance(outcome, Applied)
    assert 0 <= state.delay_seconds <= OWN_DELAY_CAP_SECONDS


@pytest.mark.parametrize("schedule", [DIRECTORY, WEBHOOK])
@pytest.mark.parametrize("outcome", [RetryLater("busy"), Surprise("moved"), InDoubt("cut")])
def test_nothing_is_retried_for_ever(schedule: Schedule, outcome: Outcome) -> None:
    standing, rounds, waited = Standing(applied=3, look=Look.ONCE), 0, 0.0
    while not (state := next_state(standing, outcome, schedule)).parked:
        standing = Standing(applied=3, attempts=state.attempts, look=state.look)
        waited += state.delay_seconds
        rounds += 1
    assert rounds == len(schedule.delays_seconds)
    assert waited == pytest.approx(sum(schedule.delays_seconds), abs=IN_DOUBT_SECONDS)
    assert state.next_step


def test_a_surprise_to_a_trusting_plan_is_looked_into_at_once_and_only_once() -> None:
    first = next_state(Standing(applied=1), Surprise("there already"), DIRECTORY)
    assert (first.delay_seconds, first.attempts, first.look) == (0, 0, Look.ONCE)
    second = next_state(Standing(applied=1, look=first.look), Surprise("still"), DIRECTORY)
    assert (second.delay_seconds, second.attempts) == (DIRECTORY.delays_seconds[0], 1)


@given(st.integers(0, 10_000), st.none() | st.floats(0, 10_000))
def test_the_circuit_waits_longer_each_time_up_to_its_cap(
    failures: int, asked: float | None
) -> None:
    wait = circuit_seconds(failures, asked)
    assert CIRCUIT_SECONDS <= wait <= max(CIRCUIT_CAP_SECONDS, asked or 0)
    assert wait <= circuit_seconds(failures + 1, asked)
    assert wait >= (asked or 0)
