"""Fixtures that give tests a real peer. One rule: a missing peer is said, never passed over.

`BRIDGE_TEST_REQUIRE=openldap` (a comma-separated list of peers) turns the skip into a failure.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import NoReturn

import pytest

from tests.openldap import OpenLDAP, Unavailable, container, given, local

Launch = Callable[..., OpenLDAP]


def missing(peer: str, why: str) -> NoReturn:
    """Skip, or fail where this peer is required."""
    required = os.environ.get("BRIDGE_TEST_REQUIRE", "").split(",")
    text = f"no {peer}: {why}"
    if peer in required:
        pytest.fail(f"{text} (BRIDGE_TEST_REQUIRE asks for it)", pytrace=False)
    pytest.skip(text)


@pytest.fixture(scope="session")
def openldap_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenLDAP]:
    """The session's OpenLDAP: the one of the environment, else a container, else a local daemon."""
    folder = tmp_path_factory.mktemp("openldap")
    with ExitStack() as running:
        yield first_available(running, given, partial(container, folder), partial(local, folder))


@pytest.fixture
def openldap(openldap_server: OpenLDAP) -> Iterator[OpenLDAP]:
    """The session's OpenLDAP, below a base of this test's own."""
    with openldap_server.fresh_base() as directory:
        yield directory


@pytest.fixture
def start_openldap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Start servers of the test's own, to stop, pause or configure: `start(extra="overlay …")`."""
    with ExitStack() as running:

        def start(extra: str = "") -> OpenLDAP:
            folder = tmp_path_factory.mktemp("openldap")
            return first_available(
                running, partial(container, folder, extra), partial(local, folder, extra)
            )

        yield start


def first_available(
    running: ExitStack, *sources: Callable[[], AbstractContextManager[OpenLDAP]]
) -> OpenLDAP:
    reasons: list[str] = []
    for source in sources:
        try:
            return running.enter_context(source())
        except Unavailable as why:
            reasons.append(str(why))
    missing("openldap", "; ".join(reasons))
