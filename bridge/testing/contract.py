"""The contract: laws that every backend keeps, tried on a real target.

    class TestMyBackend(BackendContract):
        @pytest.fixture
        def harness(self, tmp_path):
            harness = MyHarness(tmp_path)
            yield harness
            harness.close()

Rule: a backend that passes may be given to the host; whatever the host relies on is a law here.
"""

from collections.abc import Iterator

import pytest

from bridge.testing.accessing import AccessLaws
from bridge.testing.crossing import CrossingLaws
from bridge.testing.enduring import EnduringLaws
from bridge.testing.following import FollowingLaws
from bridge.testing.harness import BackendHarness, Carrier
from bridge.testing.hostility import HostilityLaws
from bridge.testing.journeys import JOURNEYS, Journey, needs_access
from bridge.testing.looking import LookingLaws
from bridge.testing.manners import MannersLaws
from bridge.testing.scanning import ScanningLaws
from bridge.testing.together import TogetherLaws
from bridge.testing.world import World


class BackendContract(
    FollowingLaws,
    CrossingLaws,
    LookingLaws,
    ScanningLaws,
    TogetherLaws,
    AccessLaws,
    EnduringLaws,
    HostilityLaws,
    MannersLaws,
):
    """Subclass it in a test module and give it a `harness` fixture."""

    @pytest.fixture
    def harness(self) -> BackendHarness:
        raise NotImplementedError("override the fixture `harness`")

    @pytest.fixture
    def world(self, harness: BackendHarness) -> World:
        return World(harness.organizations[0])

    @pytest.fixture
    def carrier(self, harness: BackendHarness, world: World) -> Iterator[Carrier]:
        carrier = Carrier(harness, world)
        yield carrier
        carrier.backend.close()

    @pytest.fixture(params=JOURNEYS)
    def journey(self, request: pytest.FixtureRequest, harness: BackendHarness) -> Journey:
        """Each history in turn: a law that asks for it is tried on all of them."""
        if needs_access(request.param) and not harness.takes_access:
            pytest.skip("this backend takes no access")
        return JOURNEYS[request.param]
