"""The LDAP backend keeps the contract on a real 389 Directory Server.

It has no assertion control, its groups may be empty, its identity is nsUniqueId, and its lock is
nsAccountLock: the same backend, other settings.
"""

import attrs
import pytest

from bridge.testing import BackendContract, Carrier, World
from bridge_ldap.answers import ASSERTION, POST_READ
from bridge_ldap.plugin import LdapBackend
from bridge_ldap.sections import Deactivation
from bridge_ldap.settings import Settings
from plugins.ldap_backend.tests.harness import OpenLdapHarness
from tests.openldap import OpenLDAP


class Ds389Harness(OpenLdapHarness):
    lock = "nsAccountLock"
    deadline_seconds = 12.0

    def settings(self, uri: str) -> Settings:
        settings = super().settings(uri)
        locked = Deactivation(attribute=self.lock, value="true")
        return attrs.evolve(
            settings,
            operation_seconds=8,  # a hundred thousand members take it seconds
            identity_attribute="nsUniqueId",
            users=attrs.evolve(settings.users, deactivate=locked),
            groups=attrs.evolve(settings.groups, empty_member="none"),
        )


class TestDs389(BackendContract):
    @pytest.fixture
    def harness(self, ds389: OpenLDAP) -> Ds389Harness:
        return Ds389Harness(ds389)

    def test_very_big_group_costs_its_change_only(
        self,
        carrier: Carrier,  # noqa: ARG002
        world: World,  # noqa: ARG002
    ) -> None:
        pytest.skip("389 Directory Server takes two minutes to make a group of 100,000")


@pytest.fixture
def harness(ds389: OpenLDAP) -> Ds389Harness:
    return Ds389Harness(ds389)


def test_without_the_assertion_control_one_more_look_guards_every_write(
    harness: Ds389Harness,
) -> None:
    backend = harness.open()
    assert isinstance(backend, LdapBackend)
    controls = backend._client.root_dse.controls
    assert POST_READ in controls
    assert ASSERTION not in controls
    assert any("assertion control" in finding.message for finding in backend.check())
    backend.close()


def test_locked_account_cannot_log_in(harness: Ds389Harness, ds389: OpenLDAP) -> None:
    settings = harness.settings(ds389.uri)
    password = {"userPassword": '"let me in"'}
    users = attrs.evolve(settings.users, attributes=password)
    backend, world = LdapBackend(attrs.evolve(settings, users=users)), World()
    (link,) = backend.execute(backend.plan([world.user("ann")], {})).links
    for active in (False, True):
        change = world.update("ann", active=active)
        backend.execute(backend.plan([change], {link.resource_id: link}))
        bind = ("-x", "-H", ds389.tools_uri, "-D", link.name, "-w", "let me in")
        done = ds389.server.run("ldapwhoami", *bind)
        assert (done.returncode == 0) is active
    backend.close()
