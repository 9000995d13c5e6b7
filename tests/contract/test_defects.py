"""Every law can fail: for each there is a backend that breaks it, and only a broken one does."""

import pytest

from bridge.testing import BackendContract
from tests.contract.defects import DEFECTS
from tests.contract.memory import Memory

pytest_plugins = ["pytester"]

MODULE = """
import pytest
from bridge.testing import BackendContract
from {module} import {defect}
from tests.contract.memory import MemoryHarness

class TestBroken(BackendContract):
    @pytest.fixture
    def harness(self):
        return MemoryHarness({defect})
"""


def test_every_law_finds_some_defect() -> None:
    laws = {name for name in dir(BackendContract) if name.startswith("test_")}
    assert {law for found in DEFECTS.values() for law in found} == laws


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_defect_is_found(pytester: pytest.Pytester, defect: type[Memory]) -> None:
    pytester.makeini("[pytest]\nmarkers = slow: takes long\nfilterwarnings = ignore")
    module = pytester.makepyfile(MODULE.format(module=defect.__module__, defect=defect.__name__))
    for law in DEFECTS[defect]:
        briefly = ("-q", "-x", "--tb=no", "-p", "no:cacheprovider")
        result = pytester.runpytest_inprocess(module, "-k", law, *briefly)
        outcomes = result.parseoutcomes()
        assert outcomes.get("failed", 0) > 0, f"{law} does not find {defect.__doc__}"
        # An error is a broken backend's own, when it is closed after the law has failed.
        assert set(outcomes) <= {"failed", "errors", "passed", "deselected", "warnings"}
