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
from typing import Any, ClassVar

import pytest

from bridge.testing.accessing import NO_ACCESS, AccessLaws
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

    known: ClassVar[dict[str, bool]] = {}
    """Which targets take access, as the first harness of each has said."""

    @pytest.fixture(autouse=True)
    def access(self, request: pytest.FixtureRequest) -> None:
        """Skip laws of access before a target is made, where it is known to take none."""
        journey = _params(request).get("journey", "")
        asks = needs_access(journey) or "place" in request.fixturenames
        if asks and not self.known.get(_target(request), True):
            pytest.skip(NO_ACCESS)

    @pytest.fixture
    def harness(self) -> BackendHarness:
        raise NotImplementedError("override the fixture `harness`")

    @pytest.fixture
    def world(self, harness: BackendHarness) -> World:
        return World(harness.organizations[0])

    @pytest.fixture
    def carrier(
        self, request: pytest.FixtureRequest, harness: BackendHarness, world: World
    ) -> Iterator[Carrier]:
        self.known[_target(request)] = harness.takes_access
        carrier = Carrier(harness, world)
        yield carrier
        carrier.backend.close()

    @pytest.fixture(params=JOURNEYS)
    def journey(self, request: pytest.FixtureRequest, harness: BackendHarness) -> Journey:
        """Each history in turn: a law that asks for it is tried on all of them."""
        if needs_access(request.param) and not harness.takes_access:
            pytest.skip(NO_ACCESS)
        return JOURNEYS[request.param]


def _params(request: pytest.FixtureRequest) -> dict[str, Any]:
    called = getattr(request.node, "callspec", None)
    return dict(called.params) if called else {}


def _target(request: pytest.FixtureRequest) -> str:
    """Return what tells a class's targets apart: its parameters but for the journey."""
    others = {name: value for name, value in _params(request).items() if name != "journey"}
    return f"{request.cls.__module__}.{request.cls.__qualname__} {others}"
