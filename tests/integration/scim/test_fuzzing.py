"""Proven here: no request, however odd, makes the bridge fail or speak anything but SCIM."""

import random
from pathlib import Path

import httpx
import pytest

from tests.integration.running import quickstart
from tests.integration.scim.fuzzing import Fuzzer

LONG_SECONDS = 300

USUAL = {200, 201, 204, 400, 404, 405, 409}
"""Statuses that a good mixture of requests leads to."""


@pytest.mark.parametrize(
    "seconds",
    [
        10,
        pytest.param(
            LONG_SECONDS, marks=[pytest.mark.faults, pytest.mark.timeout(LONG_SECONDS + 120)]
        ),
    ],
)
def test_odd_requests_are_answered_as_scim(
    tmp_path: Path, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_LOG__LEVEL", "error")
    with quickstart(tmp_path / "installation") as bridge:
        headers = {"Authorization": f"Bearer {bridge.token}"}
        with httpx.Client(base_url=bridge.scim_url, headers=headers, timeout=60) as http:
            fuzzer = Fuzzer(http, random.randrange(10**9))
            fuzzer.run(seconds)
        assert set(fuzzer.statuses) >= USUAL, fuzzer.statuses
        assert bridge.stop() == 0
    assert "request failed" not in (tmp_path / "bridge.log").read_text()
