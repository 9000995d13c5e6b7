"""A receiver that has verified every signature when the test ends."""

import contextlib
from collections.abc import Iterator

import pytest

from plugins.webhook_backend.tests.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with contextlib.closing(Receiver()) as receiver:
        yield receiver
    assert receiver.refused == [], "a signature did not verify"
