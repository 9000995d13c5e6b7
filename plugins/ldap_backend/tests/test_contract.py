"""The LDAP backend keeps the contract on a real OpenLDAP, read with OpenLDAP's own tools."""

import pytest

from bridge.testing import BackendContract
from plugins.ldap_backend.tests.harness import OpenLdapHarness
from tests.openldap import OpenLDAP


class TestOpenLdap(BackendContract):
    @pytest.fixture
    def harness(self, openldap: OpenLDAP) -> OpenLdapHarness:
        return OpenLdapHarness(openldap)
