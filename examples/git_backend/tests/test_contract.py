"""The git backend keeps the contract on a real repository."""

from pathlib import Path

import pytest

from bridge.testing import BackendContract
from tests.harness import GitHarness


class TestGit(BackendContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> GitHarness:
        return GitHarness(tmp_path)
