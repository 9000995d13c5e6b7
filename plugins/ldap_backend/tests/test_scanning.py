"""Listing a real directory, and reading entries backwards."""

from collections.abc import Callable
from typing import Any

import pytest

from bridge_ldap import inverse
from bridge_ldap.mapping import Entry
from bridge_ldap.plugin import LdapBackend
from bridge_ldap.sections import Deactivation, Users
from plugins.ldap_backend.tests.desk import Desk
from tests.openldap import OpenLDAP

BASE = "ou=people,dc=example,dc=org"

FLAG = Deactivation("flag", "userAccountControl", flag=2)


def read(rules: dict[str, str], **values: tuple[str, ...]) -> dict[str, Any]:
    entry = Entry(f"uid=x,{BASE}", {name.lower(): held for name, held in values.items()})
    return inverse.document(inverse.places(rules), entry)


@pytest.mark.parametrize(
    ("rules", "values", "document"),
    [
        ({"uid": "userName"}, {"uid": ("ann",)}, {"userName": "ann"}),
        ({"uid": "lower(userName)"}, {"uid": ("ann",)}, {"userName": "ann"}),
        (
            {"sn": "name.familyName | userName"},
            {"sn": ("Archer",)},
            {"name": {"familyName": "Archer"}},
        ),
        ({"cn": "{name.givenName} {name.familyName}"}, {"cn": ("Ann Archer",)}, {}),
        ({"o": '"Example Inc."'}, {"o": ("Example Inc.",)}, {}),
        (
            {"mail": "all(emails.value)"},
            {"mail": ("a", "b")},
            {"emails": [{"value": "a"}, {"value": "b"}]},
        ),
        (
            {"mail": "emails[primary eq true].value | emails.value"},
            {"mail": ("a@example.com",)},
            {"emails": [{"primary": True, "value": "a@example.com"}]},
        ),
        (
            {
                "l": 'addresses[type eq "work"].locality',
                "st": 'addresses[type eq "work"].region',
            },
            {"l": ("Ghent",), "st": ("Flanders",)},
            {"addresses": [{"type": "work", "locality": "Ghent", "region": "Flanders"}]},
        ),
        (
            {"departmentNumber": "urn:example:User:department"},
            {"departmentNumber": ("7",)},
            {"urn:example:User": {"department": "7"}},
        ),
        ({"x": 'if(active, "yes", "no")'}, {"x": ("no",)}, {"active": False}),
        ({"x": 'if(active, "yes", "no")'}, {"x": ("perhaps",)}, {}),
        # The more direct of two rules with one path counts.
        (
            {"cn": "displayName | userName", "displayName": "displayName"},
            {"cn": ("A. Archer",), "displayName": ("Ann Archer",)},
            {"displayName": "Ann Archer"},
        ),
        ({"uid": "userName", "sn": "name.familyName"}, {"sn": ("  ",)}, {}),
    ],
)  # fmt: skip
def test_a_rule_is_read_backwards(
    rules: dict[str, str], values: dict[str, tuple[str, ...]], document: dict[str, Any]
) -> None:
    assert read(rules, **values) == document


@pytest.mark.parametrize(
    ("policy", "values", "active"),
    [
        (Deactivation(), {}, True),
        (Deactivation(), {"employeetype": ("inactive",)}, False),
        (FLAG, {"useraccountcontrol": ("514",)}, False),
        (FLAG, {"useraccountcontrol": ("512",)}, True),
        (Deactivation("move", base_dn=BASE), {}, False),
        (Deactivation("keep"), {"employeetype": ("inactive",)}, True),
    ],
)  # fmt: skip
def test_who_is_active_is_what_the_policy_shows(
    policy: Deactivation, values: dict[str, tuple[str, ...]], *, active: bool
) -> None:
    users = Users(base_dn="dc=example,dc=org", deactivate=policy)
    assert inverse.is_active(users, "", Entry(f"uid=x,{BASE}", values)) is active


def test_the_organization_is_told_by_the_base() -> None:
    entry = Entry("uid=ann,ou=people,ou=acme,dc=example,dc=org", {})
    template = "ou=people,ou={organization},dc=example,dc=org"
    assert inverse.organization(template, entry) == "acme"
    assert inverse.organization("ou=people,dc=example,dc=org", entry) == ""


def scan(backend: LdapBackend, cursor: str | None = None) -> tuple[int, list[str]]:
    """How many entries a listing shows from there on, and what it says is missing."""
    count, incomplete = 0, []
    while True:
        page = backend.scan(cursor)
        count += len(page.entries)
        incomplete += [page.incomplete] if page.incomplete else []
        if (cursor := page.next_cursor) is None:
            return count, incomplete


@pytest.fixture
def full(open_desk: Callable[..., Desk]) -> Desk:
    desk = open_desk(page_size=3)
    for number in range(8):
        desk.carry(desk.world.user(f"person-{number}"))
    return desk


def test_a_listing_that_shows_all_is_complete(full: Desk) -> None:
    assert scan(full.backend) == (8, [])


def test_a_base_that_cannot_be_read_is_said(full: Desk, open_desk: Callable[..., Desk]) -> None:
    nowhere = f"ou=nowhere,{full.directory.base_dn}"
    wrong = open_desk(users={"base_dn": nowhere})
    assert scan(wrong.backend) == (0, [f"{nowhere} cannot be read"])


def test_a_limit_of_the_server_is_said(full: Desk, open_desk: Callable[..., Desk]) -> None:
    too_large = open_desk(page_size=5000)  # the account may have 1,000 on a page
    count, incomplete = scan(too_large.backend)
    assert incomplete, "a limit was met in silence"
    assert "LimitExceeded" in incomplete[0]
    assert count < len(full.links)


def test_a_part_of_it_on_another_server_is_said(full: Desk, openldap: OpenLDAP) -> None:
    people = f"ou=people,{openldap.base_dn}"
    openldap.tool(
        "ldapmodify", "-a", "-M",
        stdin=f"dn: ou=branch,{people}\nobjectClass: referral\nobjectClass: extensibleObject\n"
        f"ou: branch\nref: ldap://elsewhere.example.com/ou=branch,{people}\n",
    )  # fmt: skip
    try:
        count, incomplete = scan(full.backend)
        assert count == 8
        assert any("another server" in reason for reason in incomplete)
    finally:
        openldap.tool("ldapdelete", "-M", f"ou=branch,{people}")


def test_a_page_of_a_lost_connection_begins_the_part_again(full: Desk) -> None:
    first = full.backend.scan(None)
    full.backend.close()
    count, incomplete = scan(full.backend, first.next_cursor)
    assert (count, incomplete) == (8, [])
