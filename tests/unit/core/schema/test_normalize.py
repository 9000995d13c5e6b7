"""Reading a POST or PUT body: canonical names, valid values, tolerance, and what is refused."""

from typing import Any

import pytest

from bridge.core.errors import InvalidSyntax, InvalidValue, ScimError
from bridge.core.schema import (
    ENTERPRISE_URN,
    GROUP,
    GROUP_URN,
    LENIENT,
    PROFILES,
    STRICT,
    USER,
    USER_URN,
    Attribute,
    Extension,
    Incoming,
    Quirk,
    ResourceType,
    Schema,
    Tolerance,
    normalize,
)
from bridge.core.schema.normalize import KEY_LIMIT_CHARACTERS

NEEDY = ResourceType(
    "Needy",
    "/Needy",
    Schema("urn:example:Needy", "Needy", (Attribute("label"),)),
    (
        Extension(
            Schema("urn:example:Must", "Must", (Attribute("must", required=True),)), required=True
        ),
    ),
)


def user(body: dict[str, Any] | None = None, tolerance: Tolerance = LENIENT) -> Incoming:
    return normalize(USER, {"schemas": [USER_URN], "userName": "ann"} | (body or {}), tolerance)


def test_O_16_the_password_of_a_create_leaves_the_document() -> None:
    incoming = user({"password": "1mz050nq"})
    assert "password" not in incoming.attributes
    assert incoming.password is not None
    assert incoming.password.reveal() == "1mz050nq"
    assert "1mz050nq" not in repr(incoming)
    assert user({"password": None}).password is None


@pytest.mark.parametrize(
    "body",
    [
        {"groups": [{"value": "g1"}]},
        {"id": "2819c223", "meta": {"resourceType": "User"}},
        {ENTERPRISE_URN: {"manager": {"displayName": "Bob"}}},
    ],
)
def test_O_17_readonly_input_is_ignored(body: dict[str, Any]) -> None:
    assert user(body, STRICT).attributes == {"userName": "ann"}


def test_O_20_numbers_become_strings_in_string_attributes() -> None:
    incoming = user(
        {
            "externalId": 701984,
            "addresses": [{"postalCode": 91608}],
            ENTERPRISE_URN: {"employeeNumber": 701984},
        }
    )
    assert incoming.attributes["externalId"] == "701984"
    assert incoming.attributes["addresses"] == [{"postalCode": "91608"}]
    assert incoming.attributes[ENTERPRISE_URN] == {"employeeNumber": "701984"}
    assert incoming.tolerated == {Quirk.NUMBER_AS_STRING}


@pytest.mark.parametrize("urn", ["urn:okta:custom:group:1.0", "urn:never:heard:of"])
def test_O_20_O_40_an_unknown_extension_is_ignored(urn: str) -> None:
    incoming = user({"schemas": [USER_URN, urn], urn: {"description": "x"}})
    assert incoming.attributes == {"userName": "ann"}
    assert incoming.tolerated == {Quirk.UNKNOWN_EXTENSION, Quirk.LOOSE_SCHEMAS}


def test_E_12_an_entra_group_with_microsofts_urn_is_accepted() -> None:
    urn = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
    body = {"schemas": [GROUP_URN, urn], "externalId": "8aa1a0c0", "displayName": "Sales"}
    incoming = normalize(GROUP, body)
    assert incoming.attributes == {"externalId": "8aa1a0c0", "displayName": "Sales"}
    assert incoming.member_ids is None


@pytest.mark.parametrize("empty", ["", None, [], {}])
@pytest.mark.parametrize("name", ["title", "name", "emails", "active", "externalId"])
def test_O_25_R_4_empty_values_are_unassigned(name: str, empty: Any) -> None:
    assert user({name: empty}).attributes == {"userName": "ann"}


def test_O_25_R_4_empty_parts_are_unassigned() -> None:
    body = {
        "name": {"givenName": "", "familyName": None},
        "emails": [{"value": ""}, None, {"value": "a@x"}],
        ENTERPRISE_URN: {"department": ""},
    }
    assert user(body).attributes == {"userName": "ann", "emails": [{"value": "a@x"}]}


def test_O_45_one_object_for_a_list_becomes_a_list() -> None:
    incoming = user({"emails": {"value": "a@x"}})
    assert incoming.attributes["emails"] == [{"value": "a@x"}]
    assert incoming.tolerated == {Quirk.SINGLE_AS_LIST}


def test_E_3_an_entra_create_with_nulls() -> None:
    body = {
        "schemas": [USER_URN, ENTERPRISE_URN],
        "externalId": "0a21f0f2",
        "userName": "Test_User",
        "active": True,
        "addresses": None,
        "phoneNumbers": None,
        "title": None,
        "emails": [{"primary": True, "type": "work", "value": "t@x"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "g f", "familyName": "f", "givenName": "g"},
        "roles": [],
    }
    assert set(normalize(USER, body).attributes) == {
        *("externalId", "userName", "active", "emails", "name"),
    }


@pytest.mark.parametrize(("text", "value"), [("True", True), ("false", False), ("FALSE", False)])
def test_E_4_string_booleans_become_booleans(text: str, value: bool) -> None:
    incoming = user({"active": text, "roles": [{"primary": text, "value": "r"}]})
    assert incoming.attributes["active"] is value
    assert incoming.attributes["roles"] == [{"primary": value, "value": "r"}]
    assert incoming.tolerated == {Quirk.STRING_BOOLEAN}


@pytest.mark.parametrize(
    "manager", ["26118915", {"value": "26118915"}, [{"value": "26118915"}], {"managerId": 26118915}]
)
def test_E_9_every_shape_of_manager_means_its_value(manager: Any) -> None:
    for body in ({ENTERPRISE_URN: {"manager": manager}}, {"manager": manager}):
        assert user(body).attributes[ENTERPRISE_URN] == {"manager": {"value": "26118915"}}


def test_R_1_names_and_urns_are_read_in_any_case() -> None:
    body = {
        "SCHEMAS": [USER_URN.upper()],
        "USERNAME": "Ann",
        "Name": {"GIVENNAME": "A"},
        "emails": [{"Value": "a@x", "Primary": True}],
        ENTERPRISE_URN.lower(): {"Department": "Sales"},
    }
    assert normalize(USER, body, STRICT).attributes == {
        "userName": "Ann",
        "name": {"givenName": "A"},
        "emails": [{"value": "a@x", "primary": True}],
        ENTERPRISE_URN: {"department": "Sales"},
    }


def test_R_2_fully_qualified_names_are_keys_too() -> None:
    body = {
        f"{USER_URN}:title": "Boss",
        f"{USER_URN}:name.givenName": "A",
        f"{ENTERPRISE_URN}:department": "Sales",
        f"{ENTERPRISE_URN}:manager.value": "m",
    }
    assert user(body, STRICT).attributes == {
        "userName": "ann",
        "title": "Boss",
        "name": {"givenName": "A"},
        ENTERPRISE_URN: {"department": "Sales", "manager": {"value": "m"}},
    }


@pytest.mark.parametrize(
    "body",
    [
        {"title": "a", "TITLE": "b"},
        {"title": "a", f"{USER_URN}:title": "b"},
        {"title": "a", USER_URN: {"title": "b"}},
        {"name": {"givenName": "a", "givenname": "b"}},
        {"department": "a", ENTERPRISE_URN: {"department": "b"}},
    ],
)
def test_a_name_given_twice_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidSyntax, match="twice"):
        user(body)


def test_core_attributes_under_the_core_urn_are_accepted() -> None:
    body = {"schemas": [USER_URN], USER_URN: {"userName": "ann", "title": "Boss"}}
    incoming = normalize(USER, body)
    assert incoming.attributes == {"userName": "ann", "title": "Boss"}
    assert incoming.tolerated == {Quirk.NESTED_CORE}


def test_R_5_of_several_primary_values_the_first_stays() -> None:
    emails = [{"value": str(i), "primary": True} for i in range(3)]
    incoming = user({"emails": emails})
    assert [e["primary"] for e in incoming.attributes["emails"]] == [True, False, False]
    assert incoming.tolerated == {Quirk.SEVERAL_PRIMARY}
    with pytest.raises(InvalidValue, match="primary"):
        user({"emails": emails}, STRICT)


def test_R_6_the_same_type_and_value_is_kept_once() -> None:
    emails = [
        {"value": "A@x", "type": "work"},
        {"value": "a@X", "type": "WORK", "primary": True},
        {"value": "a@x", "type": "home"},
    ]
    assert user({"emails": emails}).attributes["emails"] == [
        {"value": "a@X", "type": "WORK", "primary": True},
        {"value": "a@x", "type": "home"},
    ]


@pytest.mark.parametrize(
    ("schemas", "quirk"),
    [
        ([USER_URN, "urn:unknown"], Quirk.LOOSE_SCHEMAS),
        ([USER_URN, USER_URN], Quirk.LOOSE_SCHEMAS),
        (["urn:scim:schemas:core:1.0"], Quirk.LOOSE_SCHEMAS),
        ([ENTERPRISE_URN], Quirk.LOOSE_SCHEMAS),
        ([], Quirk.NO_SCHEMAS),
        (None, Quirk.NO_SCHEMAS),
    ],
)
def test_R_7_schemas_out_of_order_are_tolerated_or_refused(schemas: Any, quirk: Quirk) -> None:
    body = {"userName": "ann", "schemas": schemas}
    assert normalize(USER, body, PROFILES["onelogin"]).tolerated == {quirk}
    with pytest.raises(InvalidSyntax, match="schemas"):
        normalize(USER, body, STRICT)


@pytest.mark.parametrize("body", [{}, {"schemas": [GROUP_URN]}, {"schemas": "x"}, {"schemas": [1]}])
def test_R_7_a_body_of_another_kind_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidSyntax, match="schemas"):
        normalize(USER, {"userName": "ann"} | body)


@pytest.mark.parametrize("wrong", [5, "x", [["a@x"]], [{"value": {}}, {"value": ["a"]}]])
def test_values_of_a_wrong_kind_are_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue):
        user({"name": wrong, "emails": wrong})


@pytest.mark.parametrize("given", [{}, {"userName": None}, {"userName": ""}])
def test_R_12_a_missing_required_attribute_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match="userName is required"):
        normalize(USER, {"schemas": [USER_URN]} | given)


def test_a_required_extension_must_be_there() -> None:
    body = {"schemas": ["urn:example:Needy", "urn:example:Must"]}
    with pytest.raises(InvalidValue, match="urn:example:Must:must"):
        normalize(NEEDY, body)
    held = normalize(NEEDY, body | {"urn:example:Must": {"must": "x"}}).attributes
    assert held == {"urn:example:Must": {"must": "x"}}


@pytest.mark.parametrize("name", [" ", "\u200b", "a\nb", "a\x7f", "ann\u202egpj", "\u2066x"])
def test_names_that_nobody_can_read_are_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="userName"):
        user({"userName": name})


@pytest.mark.parametrize("path", ["userName", "externalId"])
def test_indexed_values_have_a_limit(path: str) -> None:
    assert user({path: "x" * KEY_LIMIT_CHARACTERS}).attributes[path]
    with pytest.raises(InvalidValue, match=path):
        user({path: "x" * (KEY_LIMIT_CHARACTERS + 1)})
    with pytest.raises(InvalidValue, match=r"emails\.value"):
        user({"emails": [{"value": "x" * (KEY_LIMIT_CHARACTERS + 1)}]})


@pytest.mark.parametrize(
    ("members", "ids"),
    [
        ([{"value": "a", "display": "A", "$ref": None, "shoe": 1}, {"value": "b"}], ("a", "b")),
        ([{"value": "a"}, {"value": "a"}], ("a",)),
        (["a", {"Value": "b"}, {"value": 3}], ("a", "b", "3")),
        ({"value": "a"}, ("a",)),
        ([], ()),
        (None, ()),
    ],
)
def test_O_35_O_36_O_37_E_13_members_become_ids(members: Any, ids: tuple[str, ...]) -> None:
    body = {"schemas": [GROUP_URN], "displayName": "g", "members": members}
    incoming = normalize(GROUP, body)
    assert incoming.member_ids == ids
    assert "members" not in incoming.attributes


@pytest.mark.parametrize("members", [[{}], [{"display": "x"}], [None], [["a"]], [{"value": "\0"}]])
def test_members_without_an_id_are_refused(members: Any) -> None:
    with pytest.raises(InvalidValue, match="members"):
        normalize(GROUP, {"schemas": [GROUP_URN], "displayName": "g", "members": members})


@pytest.mark.parametrize(
    ("quirk", "body"),
    [
        (Quirk.STRING_BOOLEAN, {"active": "True"}),
        (Quirk.NUMBER_AS_STRING, {"title": 1}),
        (Quirk.SINGLE_AS_LIST, {"emails": {"value": "a"}}),
        (Quirk.LIST_AS_SINGLE, {ENTERPRISE_URN: {"manager": [{"value": "m"}]}}),
        (Quirk.BARE_VALUE, {ENTERPRISE_URN: {"manager": "m"}}),
        (Quirk.UNKNOWN_EXTENSION, {"urn:x": {}}),
        (Quirk.UNKNOWN_ATTRIBUTE, {"shoe": 1}),
        (Quirk.UNKNOWN_ATTRIBUTE, {"name": {"shoe": 1}}),
        (Quirk.UNKNOWN_ATTRIBUTE, {ENTERPRISE_URN: {"shoe": 1}}),
        (Quirk.NESTED_CORE, {USER_URN: {"title": "x"}}),
        (Quirk.SHORT_NAME, {"department": "x"}),
        (Quirk.ALIAS, {ENTERPRISE_URN: {"manager": {"managerId": "m"}}}),
    ],
)
def test_the_strict_profile_refuses_what_the_lenient_one_counts(
    quirk: Quirk, body: dict[str, Any]
) -> None:
    assert user(body).tolerated == {quirk}
    with pytest.raises(ScimError):
        user(body, STRICT)


def test_the_emails_part_of_every_entry_cannot_be_a_key() -> None:
    with pytest.raises(InvalidValue, match=r"emails\.value"):
        user({"emails.value": "a@x"})


def test_an_extension_must_be_an_object() -> None:
    with pytest.raises(InvalidValue, match="object"):
        user({ENTERPRISE_URN: "x"})
    assert user({ENTERPRISE_URN: None}).attributes == {"userName": "ann"}
