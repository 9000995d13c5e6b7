"""Fixtures of directories other than OpenLDAP."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.containers import missing
from tests.integration.ldap.ds389 import local_389ds
from tests.integration.ldap.samba_ad import local_samba_ad
from tests.openldap import OpenLDAP, Unavailable


@pytest.fixture(scope="session")
def ds389_server() -> Iterator[OpenLDAP]:
    """The session's 389 Directory Server."""
    with ExitStack() as running:
        yield _started(running, attempts=3)


def _started(running: ExitStack, attempts: int) -> OpenLDAP:
    # Not below pytest's folder: its parents are closed to the user the server runs as.
    folder = Path(running.enter_context(TemporaryDirectory(prefix="bridge-389ds-")))
    try:
        return running.enter_context(local_389ds(folder))
    except Unavailable as why:
        # Two that start at the same moment may get in each other's way.
        if attempts == 1 or "not installed" in str(why):
            missing("389ds", str(why))
        return _started(running, attempts - 1)


@pytest.fixture
def ds389(ds389_server: OpenLDAP) -> Iterator[OpenLDAP]:
    """The session's 389 Directory Server, below a base of this test's own."""
    with ds389_server.fresh_base() as directory:
        yield directory


@pytest.fixture(scope="session")
def samba_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenLDAP]:
    """The session's Active Directory: a Samba domain controller."""
    with ExitStack() as running:
        try:
            directory = running.enter_context(local_samba_ad(tmp_path_factory.mktemp("samba")))
        except Unavailable as why:
            missing("samba", str(why))
        yield directory


@pytest.fixture
def samba(samba_server: OpenLDAP) -> Iterator[OpenLDAP]:
    """The session's Active Directory, below a base of this test's own."""
    with samba_server.fresh_base() as directory:
        yield directory
