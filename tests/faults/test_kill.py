"""F01: the serving process is killed under load and started again, many times.

No acknowledged change is lost, none reaches a resource out of order, and nothing is written twice
with effect. The same judgement condemns a bridge that acknowledges too early, and one that leases
nothing.
"""

import random
import time
from pathlib import Path

import pytest
import structlog

from tests.faults.ledger import journaled, left_out, lost, recorded, wrong
from tests.faults.victim import Load, Victim, victim

figures = structlog.get_logger("tests.faults").info


def kill_under_load(bridge: Victim, rounds: int, seed: int) -> tuple[Load, list[float]]:
    """Kill the bridge at `rounds` random instants of an unbroken load."""
    chance = random.Random(seed)
    load = Load(bridge, clients=8, users=6)
    ready = [bridge.start()]
    with load.running():
        for _ in range(rounds):
            time.sleep(chance.uniform(0.02, 0.5))
            bridge.kill()
            ready.append(bridge.start())
        time.sleep(0.3)
    return load, ready


def judge(bridge: Victim, load: Load, drain_seconds: float) -> list[str]:
    """Let a bridge come to rest and return everything that went wrong, as sentences."""
    rest = [] if bridge.drained(drain_seconds) else ["it does not come to rest"]
    journal = journaled(bridge.journal_url)
    recorder, mirror = (recorded(bridge.directory, name) for name in ("recorder", "mirror"))
    return [
        *rest,
        *load.refused,
        *lost(load.acknowledged, journal),
        *(f"recorder: {problem}" for problem in wrong(recorder, journal)),
        *(f"recorder: {problem}" for problem in left_out(recorder, journal)),
        *(f"mirror: {problem}" for problem in wrong(mirror, journal)),
    ]


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(5, marks=[pytest.mark.slow]),
        pytest.param(50, marks=[pytest.mark.faults, pytest.mark.timeout(900)]),
    ],
)
def test_F01_nothing_acknowledged_is_lost_or_out_of_order(tmp_path: Path, rounds: int) -> None:
    with victim(tmp_path) as bridge:
        load, ready = kill_under_load(bridge, rounds, seed=rounds)
        assert judge(bridge, load, drain_seconds=60) == []
        assert bridge.stop() == 0
        figures(
            f"{rounds} kills, {len(load.acknowledged)} acknowledged, {load.unanswered} unanswered,"
            f" ready again after {sorted(ready)[len(ready) // 2]:.1f} s (most {max(ready):.1f} s)"
        )
        assert len(load.acknowledged) > rounds * 4


@pytest.mark.parametrize(
    "mutation",
    [
        pytest.param("acknowledged-too-early", marks=[pytest.mark.slow]),
        pytest.param("no-lease", marks=[pytest.mark.faults]),
    ],
)
def test_F01_the_judgement_condemns_a_broken_bridge(tmp_path: Path, mutation: str) -> None:
    with victim(tmp_path, mutation) as bridge:
        load, _ = kill_under_load(bridge, 3, seed=1)
        problems = judge(bridge, load, drain_seconds=5)
        figures(f"{mutation}: {len(problems)} problems, such as {problems[:2]}")
        assert [found for found in problems if "written" in found]
        assert not [found for found in problems if "acknowledged and is not" in found]
