"""What the LDAP backend's tests on a real OpenLDAP ask for."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bridge_ldap.plugin import LdapBackend
from plugins.ldap_backend.tests.desk import Desk, make_units, settings_for
from tests.openldap import OpenLDAP


@pytest.fixture
def open_desk(openldap: OpenLDAP) -> Iterator[Callable[..., Desk]]:
    """Open desks on the session's directory, each with settings of its own."""
    make_units(openldap, "former")
    opened: list[Desk] = []

    def open_one(directory: OpenLDAP = openldap, **changed: Any) -> Desk:
        opened.append(Desk(directory, LdapBackend(settings_for(directory, **changed))))
        return opened[-1]

    yield open_one
    for desk in opened:
        desk.backend.close()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()
