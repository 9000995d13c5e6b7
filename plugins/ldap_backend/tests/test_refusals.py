"""What the directory refuses, for good, for now, or for everyone; on a real OpenLDAP.

The tests named after a result code are the OpenLDAP column of the table in the README.
"""

from collections.abc import Callable

import pytest

from bridge.plugin import BackendDown, Park, RetryLater, Secret
from bridge_ldap import results
from bridge_ldap.results import Code
from plugins.ldap_backend.tests.desk import Desk, desk_on
from tests.containers import Launch
from tests.openldap import OpenLDAP

OpenDesk = Callable[..., Desk]


# --- Refused for good -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "attributes", "rule"),
    [
        (Code.UNDEFINED_ATTRIBUTE_TYPE, {"nonsense": "title"}, "nonsense"),
        (Code.OBJECT_CLASS_VIOLATION, {"sn": ""}, "sn"),
        (Code.OBJECT_CLASS_VIOLATION, {"homeDirectory": "title"}, "homeDirectory"),
        (
            Code.INVALID_ATTRIBUTE_SYNTAX,
            {"mail": '"\N{LATIN SMALL LETTER E WITH ACUTE}@x"'},
            "mail",
        ),
        (
            Code.CONSTRAINT_VIOLATION,
            {"preferredLanguage": "all(emails.value)"},
            "preferredLanguage",
        ),
    ],
)
def test_what_the_schema_refuses_is_parked_with_the_rule_at_fault(
    open_desk: OpenDesk, code: Code, attributes: dict[str, str], rule: str
) -> None:
    desk = open_desk(users={"attributes": attributes})
    emails = [{"value": "one@example.com"}, {"value": "two@example.com"}]
    with pytest.raises(Park, match=results.name(code).partition(" ")[0]) as parked:
        desk.carry(desk.world.user("ann", title="Lead", emails=emails))
    assert f"users.attributes.{rule}" in parked.value.next_step


def test_66_an_entry_with_entries_below_it_is_not_deleted(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    desk.directory.load(f"dn: cn=phone,{desk.name('ann')}\nobjectClass: device\ncn: phone\n")
    with pytest.raises(Park, match="notAllowedOnNonLeaf"):
        desk.carry(*desk.world.delete("ann"))


# --- Refused for now, or for everyone -------------------------------------------------------------


def test_49_wrong_password_is_tried_once(open_desk: OpenDesk) -> None:
    desk = open_desk(bind_password=Secret("wrong"))
    with pytest.raises(BackendDown, match=r"refuses the bind .* invalidCredentials \(49\)"):
        desk.carry(desk.world.user("ann"))


def test_50_no_right_to_write_stops_the_backend(open_desk: OpenDesk, openldap: OpenLDAP) -> None:
    openldap.load(
        f"dn: cn=reader,{openldap.base_dn}\nobjectClass: organizationalRole\n"
        "objectClass: simpleSecurityObject\ncn: reader\nuserPassword: reader\n"
    )
    desk = open_desk(bind_dn=f"cn=reader,{openldap.base_dn}", bind_password=Secret("reader"))
    with pytest.raises(BackendDown, match="insufficientAccessRights"):
        desk.carry(desk.world.user("ann"))


@pytest.mark.parametrize(
    ("extra", "code", "outcome"),
    [
        ("readonly on", Code.UNWILLING_TO_PERFORM, RetryLater),
        ("security update_ssf=128", Code.CONFIDENTIALITY_REQUIRED, BackendDown),
    ],
)
def test_server_that_refuses_everybody(
    start_openldap: Launch, extra: str, code: Code, outcome: type[Exception]
) -> None:
    directory = start_openldap(extra=extra)
    desk = desk_on(directory, users={"base_dn": directory.base_dn})
    with pytest.raises(outcome, match=results.name(code).partition(" ")[0]):
        desk.carry(desk.world.user("ann"))
    desk.backend.close()


def test_52_unavailable_is_tried_again(start_openldap: Launch) -> None:
    # A server that passes on to one that is not there.
    directory = start_openldap(
        extra='moduleload back_ldap\ndatabase ldap\nsuffix "dc=remote"\nuri "ldap://127.0.0.1:1/"'
    )
    desk = desk_on(directory, users={"base_dn": "dc=remote"})
    with pytest.raises(RetryLater, match="unavailable"):
        desk.carry(desk.world.user("ann"))
    desk.backend.close()


def test_every_result_code_means_one_thing() -> None:
    for code in Code:
        if code != Code.SUCCESS:
            outcome = results.OUTCOMES.get(code, Park)
            with pytest.raises(outcome, match=rf"\({int(code)}\): said"):
                results.outcome("modify cn=a", code, "said", ())
        assert results.outcome("modify cn=a", code, "", (code,)) == code
    with pytest.raises(Park, match="result code 4711"):
        results.outcome("modify cn=a", 4711, "", ())
