"""PATCH of a user in the shapes that Okta and Entra ID send."""

from typing import Any

import pytest

from bridge.core.errors import (
    NoTarget,
)
from bridge.core.schema import (
    ENTERPRISE_URN,
    STRICT,
    USER_URN,
)
from tests.unit.core.patch.patching import ANN, Document, changes, op, patched


@pytest.mark.parametrize(
    ("operation", "active"),
    [
        (op("replace", value={"active": False}), False),
        (op("replace", "active", False), False),
        (op("Replace", "active", "False"), False),
        (op("Add", "active", "false"), False),
        (op("replace", f"{USER_URN}:active", False), False),
        (op("replace", value={f"{USER_URN}:active": False}), False),
        (op("replace", value={USER_URN: {"active": False}}), False),
        (op("replace", USER_URN, {"active": False}), False),
    ],
)
def test_O_28_E_4_E_5_deactivation_in_every_shape(operation: Document, active: bool) -> None:
    assert changes(operation) == {"active": active}


def test_O_28_a_password_is_handed_over_apart_from_the_document() -> None:
    for operation in (op("replace", value={"password": "s3cret"}), op("add", "password", "s3cret")):
        result = patched(operation)
        assert result.attributes is ANN
        assert result.password is not None
        assert result.password.reveal() == "s3cret"
    assert patched(op("remove", "password")).password is None
    assert patched(op("replace", "password", None)).password is None


def test_O_32_a_push_of_several_attributes_merges() -> None:
    value = {"title": "Boss", "name": {"familyName": "New"}, ENTERPRISE_URN: {"division": "N"}}
    assert changes(op("replace", value=value)) == {
        "title": "Boss",
        "name": {"givenName": "Ann", "familyName": "New"},
        ENTERPRISE_URN: {"department": "Sales", "division": "N"},
    }


def test_O_33_readonly_names_without_a_path_are_no_change() -> None:
    value = {"id": "1", "meta": {"version": "x"}, "groups": [], "schemas": [USER_URN]}
    assert patched(op("replace", value=value), tolerance=STRICT).attributes is ANN


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("name.givenName", "Bea", {"name": {"givenName": "Bea", "familyName": "Old"}}),
        ("NAME.FAMILYNAME", "New", {"name": {"givenName": "Ann", "familyName": "New"}}),
        (f"{ENTERPRISE_URN}:department", "HR", {ENTERPRISE_URN: {"department": "HR"}}),
        (
            'emails[type eq "work"].Value',
            "n@x",
            {"emails": [{"value": "n@x", "type": "work", "primary": True}, ANN["emails"][1]]},
        ),
        (
            'addresses[type eq "other"].Formatted',
            "Road 1",
            {"addresses": [{"type": "other", "formatted": "Road 1"}]},
        ),
    ],
)
def test_E_6_one_operation_for_each_attribute(path: str, value: str, expected: Document) -> None:
    assert changes(op("Add", path, value)) == expected


def test_E_7_an_add_through_a_filter_that_matches_nothing_creates_the_value() -> None:
    result = changes(
        op("Add", 'phoneNumbers[type eq "mobile"].value', "555"),
        op("Add", 'phoneNumbers[type eq "mobile"].display', "cell"),
        op("Add", 'phoneNumbers[type eq "fax"].value', "556"),
        op("Add", 'roles[primary eq "True"].display', "chief"),
        op("Add", 'roles[primary eq "True"].value', "c"),
    )
    assert result == {
        "phoneNumbers": [
            {"type": "mobile", "value": "555", "display": "cell"},
            {"type": "fax", "value": "556"},
        ],
        "roles": [{"primary": True, "display": "chief", "value": "c"}],
    }


@pytest.mark.parametrize(
    "path",
    [
        'phoneNumbers[type ne "work"].value',
        'phoneNumbers[type eq "work" or type eq "home"].value',
        "phoneNumbers[type eq null].value",
    ],
)
def test_E_7_a_filter_that_describes_no_value_has_no_target(path: str) -> None:
    with pytest.raises(NoTarget):
        patched(op("add", path, "1"))


def test_E_8_keys_without_a_path_are_paths() -> None:
    value = {
        "displayName": "Bjfe",
        "name.givenName": "Kkom",
        "name.familyName": "Unua",
        f"{ENTERPRISE_URN}:employeeNumber": "Aklq",
        f"{ENTERPRISE_URN}:manager": {"value": "m"},
        'emails[type eq "home"].value': "n@x",
    }
    assert changes(op("replace", value=value)) == {
        "displayName": "Bjfe",
        "name": {"givenName": "Kkom", "familyName": "Unua"},
        "emails": [ANN["emails"][0], {"value": "n@x", "type": "home"}],
        ENTERPRISE_URN: {
            "department": "Sales",
            "employeeNumber": "Aklq",
            "manager": {"value": "m"},
        },
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{ENTERPRISE_URN}:manager", "m2"),
        (f"{ENTERPRISE_URN}:manager", {"value": "m2"}),
        ("manager", [{"$ref": None, "value": "m2"}]),
        (f"{ENTERPRISE_URN}.manager", "m2"),
        (f"{ENTERPRISE_URN}:manager.value", "m2"),
    ],
)
@pytest.mark.parametrize("held", [{}, {"manager": {"value": "m1", "$ref": "../Users/m1"}}])
def test_E_9_manager_in_every_shape(path: str, value: Any, held: Document) -> None:
    before = {"userName": "ann"} | ({ENTERPRISE_URN: held} if held else {})
    after = patched(op("Add", path, value), before=before).attributes
    assert after[ENTERPRISE_URN]["manager"]["value"] == "m2"
    for gone in (op("Remove", path), op("Replace", path, None), op("Replace", path, "")):
        assert ENTERPRISE_URN not in patched(gone, before=dict(after)).attributes


def test_E_9_a_new_manager_does_not_keep_the_address_of_the_old_one() -> None:
    before = {"userName": "a", ENTERPRISE_URN: {"manager": {"value": "1", "$ref": "../Users/1"}}}
    after = patched(op("replace", "manager", "2"), before=before).attributes
    assert after[ENTERPRISE_URN] == {"manager": {"value": "2"}}


@pytest.mark.parametrize("empty", [None, ""])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name", {"name": None}),
        ("name.givenName", {"name": {"familyName": "Old"}}),
        ("emails", {"emails": None}),
        ("active", {"active": None}),
        ('emails[type eq "work"]', {"emails": [ANN["emails"][1]]}),
        (
            'emails[type eq "work"].primary',
            {"emails": [{"value": "w@x", "type": "work"}, ANN["emails"][1]]},
        ),
        ('phoneNumbers[type eq "work"].value', {}),
        (f"{ENTERPRISE_URN}:department", {ENTERPRISE_URN: None}),
        ("nickName", {}),
    ],
)
def test_E_10_null_and_empty_text_clear(path: str, expected: Document, empty: Any) -> None:
    assert changes(op("Replace", path, empty)) == expected


def test_E_10_null_inside_an_object_clears_only_that_part() -> None:
    operation = op("Replace", "name", {"familyName": None, "middleName": "M"})
    assert changes(operation) == {"name": {"givenName": "Ann", "middleName": "M"}}
