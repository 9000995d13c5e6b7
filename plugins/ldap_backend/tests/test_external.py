"""SASL EXTERNAL: the bridge proves who it is by its certificate, and no password is anywhere."""

from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from bridge.plugin import BackendDown
from bridge_ldap.plugin import LdapBackend
from plugins.ldap_backend.tests.desk import Desk, make_units, settings_for
from tests.containers import Launch
from tests.openldap import CLIENT_FILE, OpenLDAP

BY_CERTIFICATE = (
    "TLSVerifyClient try\n"
    'authz-regexp "cn=bridge,.*" "cn=bridge,dc=example,dc=org"\n'
)  # fmt: skip


@pytest.fixture
def directory(start_openldap: Launch) -> OpenLDAP:
    directory = start_openldap(extra=BY_CERTIFICATE)
    make_units(directory)
    return directory


def external(directory: OpenLDAP, **changed: Any) -> LdapBackend:
    assert directory.ca_file is not None
    certificate = {
        "bind": "external",
        "bind_password": None,
        "uris": (directory.ldaps_uri,),
        "insecure": False,
        "ca_file": directory.ca_file,
        "certificate_file": directory.ca_file.parent / CLIENT_FILE,
    }
    return LdapBackend(settings_for(directory, **(certificate | changed)))


@pytest.fixture
def desk(directory: OpenLDAP) -> Iterator[Desk]:
    backend = external(directory)
    yield Desk(directory, backend)
    backend.close()


def test_certificate_is_proof_enough(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    assert desk.entry("ann", "creatorsName")["creatorsName"] == (desk.directory.bridge.dn,)
    assert [finding for finding in desk.backend.check() if not finding.ok] == []


def test_check_says_whom_the_server_takes_the_bridge_for(directory: OpenLDAP) -> None:
    backend = external(directory, bind_dn="cn=somebody,dc=example,dc=org")
    (wrong,) = (finding for finding in backend.check() if finding.code == "BRG-LDAP-004")
    backend.close()
    assert "takes the bridge for cn=bridge,dc=example,dc=org" in wrong.message


def test_certificate_of_another_authority_is_refused(directory: OpenLDAP, tmp_path: Any) -> None:
    stranger = trustme.CA().issue_cert("bridge.example.org", common_name="bridge")
    stranger.private_key_and_cert_chain_pem.write_to_path(tmp_path / "stranger.pem")
    backend = external(directory, certificate_file=tmp_path / "stranger.pem")
    with pytest.raises(BackendDown):
        backend.check()
    backend.close()
