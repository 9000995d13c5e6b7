"""A right backend keeps every law of the contract: a law that fails says something."""

import pytest

from bridge.testing import BackendContract
from tests.contract.memory import MemoryHarness


class TestMemory(BackendContract):
    @pytest.fixture
    def harness(self) -> MemoryHarness:
        return MemoryHarness()
