"""What the engine's tests share beside their house."""

import pytest

from bridge.core import delivery
from bridge.engine import lane, turn


@pytest.fixture
def quick_doubts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doubts end in tenths of a second here."""
    monkeypatch.setattr(delivery, "IN_DOUBT_SECONDS", 0.02)
    monkeypatch.setattr(delivery, "VERIFY_SECONDS", 0.3)
    monkeypatch.setattr(lane, "SETTLED_SECONDS", 0.1)
    monkeypatch.setattr(turn, "SETTLED_SECONDS", 0.1)
