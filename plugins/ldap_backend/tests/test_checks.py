"""`check` on a real OpenLDAP: every mistake is found, named, and told how to mend."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bridge.plugin import BackendDown, Finding, Secret
from bridge_ldap.sections import Deactivation
from plugins.ldap_backend.tests.desk import Desk
from tests.openldap import OpenLDAP

OpenDesk = Callable[..., Desk]


def wrong(desk: Desk) -> list[Finding]:
    return [finding for finding in desk.backend.check() if not finding.ok]


def test_a_good_directory_has_nothing_wrong(desk: Desk) -> None:
    before = desk.directory.search(attributes=("*", "+"))
    findings = desk.backend.check()
    assert [f for f in findings if not f.ok] == []
    assert {f.code for f in findings} >= {"BRG-LDAP-001", "BRG-LDAP-010", "BRG-LDAP-022"}
    assert desk.directory.search(attributes=("*", "+")) == before


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"users": {"base_dn": "ou=nowhere,dc=example,dc=org"}}, "010", "ou=nowhere"),
        ({"identity_attribute": "nsUniqueId"}, "011", "shows no nsUniqueId"),
        ({"users": {"object_classes": ("inetOrgPersson",)}}, "021", "inetOrgPersson"),
        ({"users": {"attributes": {"shoeSize": "title"}}}, "022", "no attribute type shoeSize"),
        ({"users": {"attributes": {"gidNumber": "title"}}}, "022", "does not allow gidNumber"),
        ({"users": {"anchor": "member"}}, "022", "does not allow member"),
        (
            {"users": {"attributes": {"employeeNumber": "all(emails.value)"}}},
            "022",
            "one value only",
        ),
        ({"users": {"attributes": {"sn": ""}}}, "023", "requires sn"),
        ({"groups": {"object_classes": ("groupOfNames",)}}, "022", "does not allow labeledURI"),
        ({"groups": {"empty_member": "none"}}, "030", "refuses a groupOfNames without member"),
        (
            {"users": {"deactivate": Deactivation(attribute="nsAccountLock")}},
            "031",
            "no attribute type nsAccountLock",
        ),
    ],
)
def test_mistake_is_found(
    open_desk: OpenDesk, changed: Mapping[str, Any], code: str, said: str
) -> None:
    findings = wrong(open_desk(**changed))
    assert [f.code for f in findings] == [f"BRG-LDAP-{code}"] * len(findings)
    assert any(said in f.message for f in findings)
    assert all(f.next_step for f in findings)


def test_rule_at_fault_is_shown_as_it_stands(open_desk: OpenDesk) -> None:
    (finding,) = wrong(open_desk(users={"attributes": {"shoeSize": "title"}}))
    assert 'users.attributes.shoeSize = "title"' in finding.message
    assert 'users.attributes.shoeSize = ""' in finding.next_step


def test_an_account_that_may_do_everything_is_warned_of(
    open_desk: OpenDesk, openldap: OpenLDAP
) -> None:
    admin = openldap.admin
    findings = wrong(open_desk(bind_dn=admin.dn, bind_password=Secret(admin.password)))
    assert [f.code for f in findings] == ["BRG-LDAP-002"]


def test_whether_the_wire_is_encrypted_is_said(open_desk: OpenDesk, openldap: OpenLDAP) -> None:
    secure = {"uris": (openldap.ldaps_uri,), "insecure": False, "ca_file": openldap.ca_file}
    assert "with TLS" in open_desk(**secure).backend.check()[0].message
    assert "WITHOUT TLS" in open_desk().backend.check()[0].message


def test_refused_account_is_said_as_it_is(open_desk: OpenDesk) -> None:
    with pytest.raises(BackendDown, match="invalidCredentials"):
        open_desk(bind_password=Secret("wrong")).backend.check()
