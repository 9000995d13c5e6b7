"""What a plugin author's tests import: the contract suite, stories, golden files, a fault proxy.

Rule: nothing here is imported by the running bridge; it needs pytest.
"""

import pytest

pytest.register_assert_rewrite(__name__)

from bridge.testing.contract import BackendContract  # noqa: E402
from bridge.testing.fault_proxy import FaultProxy  # noqa: E402
from bridge.testing.harness import BackendHarness, Carrier  # noqa: E402
from bridge.testing.stories import Kept, Story, load, load_all  # noqa: E402
from bridge.testing.world import Held, Person, Place, Team, World, held_of  # noqa: E402

__all__ = [
    "BackendContract",
    "BackendHarness",
    "Carrier",
    "FaultProxy",
    "Held",
    "Kept",
    "Person",
    "Place",
    "Story",
    "Team",
    "World",
    "held_of",
    "load",
    "load_all",
]
