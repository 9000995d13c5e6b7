"""The contract as a test module: `pytest --bridge-backend=…` collects it.

Rule: it runs against what the command line names, and against nothing else.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.testing.contract import BackendContract
from bridge.testing.given import given
from bridge.testing.harness import BackendHarness


class TestBackend(BackendContract):
    """The backend that `--bridge-backend` names."""

    @pytest.fixture
    def harness(self, pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[BackendHarness]:
        harness = given(
            pytestconfig.getoption("--bridge-backend"),
            pytestconfig.getoption("--bridge-settings"),
            tmp_path,
        )
        yield harness
        harness.close()
