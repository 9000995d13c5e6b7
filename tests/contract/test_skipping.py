"""A law that does not concern a target is skipped before one is made."""

import pytest

from bridge.testing.journeys import JOURNEYS, needs_access

pytest_plugins = ["pytester"]

MODULE = """
from pathlib import Path
import pytest
from bridge.testing import BackendContract
from tests.contract.memory import MemoryHarness

class TestWithout(BackendContract):
    @pytest.fixture(params=[False, True], ids=["without", "with"])
    def harness(self, request):
        harness = MemoryHarness()
        harness.takes_access = request.param
        with Path("made").open("a") as made:
            made.write(f"{request.param}\\n")
        return harness
"""


def test_access_is_skipped_without_a_target_and_only_where_none_is_taken(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeini("[pytest]\nmarkers = slow: takes long\nfilterwarnings = ignore")
    law = "test_target_holds_what_the_changes_lead_to"
    result = pytester.runpytest_inprocess(
        pytester.makepyfile(MODULE), "-q", "-k", law, "-p", "no:cacheprovider"
    )
    access = sum(map(needs_access, JOURNEYS))
    result.assert_outcomes(passed=2 * len(JOURNEYS) - access, skipped=access)
    made = (pytester.path / "made").read_text().split()
    assert made.count("True") == len(JOURNEYS)
    assert made.count("False") == len(JOURNEYS) - access
