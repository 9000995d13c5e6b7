"""Settings: what may be configured, what is refused by name, and what is never shown."""

from pathlib import Path
from typing import Any

import pytest

from bridge.config import structure
from bridge.core.errors import OperatorError
from bridge_ldap import dn
from bridge_ldap.settings import Settings

LEAST: dict[str, Any] = {
    "uris": ["ldaps://ldap.example.org"],
    "bind_dn": "cn=bridge,dc=example,dc=org",
    "bind_password": "canary-password",
    "users": {"base_dn": "ou=people,dc=example,dc=org"},
    "groups": {"base_dn": "ou=groups,dc=example,dc=org"},
}


def structured(**changed: Any) -> Settings:
    return structure({**LEAST, **changed}, Settings, "backends.corp", Path())


def people(**changed: Any) -> dict[str, Any]:
    return {"users": {**LEAST["users"], **changed}}


def teams(**changed: Any) -> dict[str, Any]:
    return {"groups": {**LEAST["groups"], **changed}}


def test_least_configuration_is_enough() -> None:
    settings = structured()
    assert settings.users.rdn == "uid"
    assert settings.groups.placeholder("cn=a") == "cn=a"
    assert settings.bases == ("ou=groups,dc=example,dc=org", "ou=people,dc=example,dc=org")


def test_secret_is_not_shown() -> None:
    assert "canary" not in f"{structured()} {structured()!r}"


def test_own_rules_go_over_the_defaults_in_any_spelling() -> None:
    rules = structured(**people(attributes={"MAIL": "userName", "title": "", "uid": "id"}))
    assert "mail" not in rules.users.rules
    assert rules.users.rules["MAIL"] == "userName"
    assert "title" not in rules.users.rules


def test_bases_are_those_that_exist_and_none_twice() -> None:
    settings = structured(
        users={
            "base_dn": "ou=people,o={organization},dc=example,dc=org",
            "deactivate": {"policy": "move", "base_dn": "ou=former,ou=all,dc=example,dc=org"},
        },
        groups={"base_dn": "ou=all,dc=example,dc=org"},
    )
    assert settings.bases == ("dc=example,dc=org",)
    assert all(dn.parse(base) for base in settings.bases)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"uris": []}, "names no server"),
        ({"uris": ["ldapi:///"]}, "ldapi:///"),
        ({"bind": "external"}, "needs certificate_file"),
        ({"preset": "edirectory"}, "must be one of openldap, 389ds"),
        ({"uris": ["ldap.example.org"]}, "ldap.example.org"),
        ({"uris": ["ldap://ldap.example.org"]}, "not encrypted"),
        ({"uris": ["ldaps://a", "ldap://b"]}, "ldap://b is not encrypted"),
        ({"bind_password": ""}, "bind_password is empty"),
        ({"bind_dn": "admin"}, "no distinguished name"),
        ({"bind_dn": ""}, "bind_dn is empty"),
        ({"operation_seconds": 0}, "operation_seconds"),
        ({"members_per_modify": 0}, "members_per_modify"),
        ({"uri": "ldap://x"}, "did you mean uris?"),
        (people(rdn="cm"), "rdn is cm"),
        (people(base_dn="people"), "no distinguished name"),
        (people(attributes={"uid": ""}), "no rule for it"),
        (people(attributes={"mail": "emails["}), "attributes.mail"),
        (people(attributes={"ma*il": "emails"}), "no attribute type"),
        (people(deactivate={"policy": "move"}), "needs base_dn"),
        (people(deactivate={"attribute": ""}), "needs attribute and value"),
        (people(deactivate={"policy": "lock"}), "attribute, flag, move, keep"),
        (people(deactivate={"policy": "flag", "attribute": ""}), "needs attribute"),
        (people(delete="purge"), "delete, disable, keep"),
        (teams(empty_member="nobody"), "no distinguished name"),
        (teams(delete="disable"), "delete, keep"),
        (teams(member_value="uid", empty_member="self"), "allows no placeholder"),
        (teams(numbers={"gidNumber": "9-1"}), "no range"),
        (people(numbers={"uidNumber": "many"}), "no range"),
    ],
)
def test_mistake_is_called_by_name(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ExceptionGroup) as refused:
        structured(**changed)
    (problem,) = refused.value.exceptions
    assert isinstance(problem, OperatorError)
    assert said in str(problem)


def test_plain_ldap_has_to_be_asked_for() -> None:
    for asked in ({"start_tls": True}, {"insecure": True}):
        assert structured(uris=["ldap://ldap.example.org:3389"], **asked).uris
