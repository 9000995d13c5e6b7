"""Replacing, showing and indexing a document by what its schema says."""

from typing import Any

import pytest

from bridge.core import errors
from bridge.core.errors import InvalidValue
from bridge.core.schema import (
    ENTERPRISE_URN,
    GROUP,
    USER,
    USER_URN,
    Attribute,
    Extension,
    Incoming,
    Mutability,
    ResourceType,
    Returned,
    Schema,
    Type,
    Uniqueness,
    index_keys,
    name_key,
    normalize,
    projection,
    render,
    replace,
)

LATER = Attribute("later", mutability=Mutability.IMMUTABLE)
BADGE = ResourceType(
    "Badge",
    "/Badges",
    Schema(
        "urn:example:Badge",
        "Badge",
        (
            Attribute("serial", case_exact=True, uniqueness=Uniqueness.SERVER),
            Attribute("color", mutability=Mutability.IMMUTABLE),
            Attribute("counter", mutability=Mutability.READ_ONLY),
            Attribute("secret", returned=Returned.NEVER),
            Attribute("notes", returned=Returned.REQUEST),
            Attribute("label", returned=Returned.ALWAYS),
            Attribute(
                "owner",
                Type.COMPLEX,
                sub_attributes=(
                    Attribute("value", returned=Returned.ALWAYS),
                    Attribute("phone"),
                    Attribute("pin", returned=Returned.NEVER),
                    Attribute("diary", returned=Returned.REQUEST),
                ),
            ),
        ),
    ),
    (Extension(Schema("urn:example:More", "More", (LATER,))),),
)
DOCUMENT = {
    "schemas": [USER_URN],
    "id": "1",
    "userName": "ann",
    "name": {"givenName": "A", "familyName": "B"},
    "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home"}],
    "meta": {"resourceType": "User", "version": 'W/"1"'},
    ENTERPRISE_URN: {"department": "Sales", "manager": {"value": "m", "displayName": "M"}},
}


def put(before: dict[str, Any], **body: Any) -> Any:
    whole = {"schemas": [USER_URN], "userName": "ann"} | body
    return replace(USER, before, normalize(USER, whole))


def test_O_27_a_put_without_active_keeps_it() -> None:
    for held in (True, False):
        assert put({"userName": "ann", "active": held})["active"] is held
        assert put({"userName": "ann", "active": held}, active=None)["active"] is held
        assert put({"userName": "ann", "active": held}, active=not held)["active"] is not held


def test_R_29_a_put_clears_what_it_leaves_out() -> None:
    before = {"userName": "ann", "title": "Boss", ENTERPRISE_URN: {"department": "Sales"}}
    assert put(before) == {"userName": "ann"}


def test_O_22_a_put_of_a_get_body_changes_nothing() -> None:
    stored = {k: v for k, v in DOCUMENT.items() if k not in ("schemas", "id", "meta")}
    stored[ENTERPRISE_URN] = {"department": "Sales", "manager": {"value": "m"}}
    body = DOCUMENT | {"id": "other", "groups": [{"value": "g"}], "meta": {"created": "1970"}}
    assert replace(USER, stored, normalize(USER, body)) == stored


def test_R_28_readonly_and_immutable_values_stay() -> None:
    before = {"serial": "1", "color": "red", "counter": "5", "urn:example:More": {"later": "x"}}
    assert replace(BADGE, before, Incoming({"serial": "2"})) == before | {"serial": "2"}
    for changed in ({"color": "blue"}, {"urn:example:More": {"later": "y"}}):
        with pytest.raises(errors.Mutability):
            replace(BADGE, before, Incoming({"serial": "1"} | changed))
    unset = replace(BADGE, {"serial": "1"}, Incoming({"serial": "1", "color": "red"}))
    assert unset["color"] == "red"


@pytest.mark.parametrize(
    ("attributes", "excluded", "expected"),
    [
        ("", "", DOCUMENT),
        ("userName", "", {"schemas": 1, "id": 1, "userName": 1}),
        ("USERNAME, nosuch", "", {"schemas": 1, "id": 1, "userName": 1}),
        ("nosuch", "", {"schemas": 1, "id": 1}),
        (f"{USER_URN}:userName", "", {"schemas": 1, "id": 1, "userName": 1}),
        ("name.givenName", "", {"schemas": 1, "id": 1, "name": {"givenName": "A"}}),
        ("name,name.givenName", "", {"schemas": 1, "id": 1, "name": 1}),
        (
            "emails.value",
            "",
            {"schemas": 1, "id": 1, "emails": [{"value": "a@x"}, {"value": "b@x"}]},
        ),
        (ENTERPRISE_URN, "", {"schemas": 1, "id": 1, ENTERPRISE_URN: 1}),
        (
            f"{ENTERPRISE_URN}:manager.value",
            "",
            {"schemas": 1, "id": 1, ENTERPRISE_URN: {"manager": {"value": "m"}}},
        ),
        ("meta.version", "", {"schemas": 1, "id": 1, "meta": {"version": 'W/"1"'}}),
        ("", "id,schemas,nosuch", DOCUMENT),
        ("", f"meta,emails,{ENTERPRISE_URN}", {"schemas": 1, "id": 1, "userName": 1, "name": 1}),
        (
            "",
            f"meta,emails.type,name,{ENTERPRISE_URN}:manager",
            {
                "schemas": 1,
                "id": 1,
                "userName": 1,
                "emails": [{"value": "a@x"}, {"value": "b@x"}],
                ENTERPRISE_URN: {"department": "Sales"},
            },
        ),
    ],
)
def test_R_14_R_15_R_16_projection(
    attributes: str, excluded: str, expected: dict[str, Any]
) -> None:
    shown = render(USER, DOCUMENT, projection(USER, attributes.split(","), excluded.split(",")))
    assert shown == {k: DOCUMENT[k] if v == 1 else v for k, v in expected.items()}


def test_R_14_both_parameters_at_once_are_refused() -> None:
    with pytest.raises(InvalidValue, match="excludedAttributes"):
        projection(USER, ["userName"], ["meta"])


def test_R_15_returned_always_never_and_request() -> None:
    document = {
        "serial": "1",
        "secret": "s",
        "notes": "n",
        "label": "l",
        "owner": {"value": "o", "phone": "p", "pin": "1", "diary": "d"},
    }
    plain = {"serial": "1", "label": "l", "owner": {"value": "o", "phone": "p"}}
    assert render(BADGE, document) == plain

    def asked(*names: str) -> dict[str, Any]:
        return render(BADGE, document, projection(BADGE, names))

    assert asked("secret", "owner.pin", "notes") == {
        "label": "l",
        "notes": "n",
        "owner": {"value": "o"},
    }
    assert asked("owner.diary")["owner"] == {"value": "o", "diary": "d"}
    assert render(BADGE, document, projection(BADGE, (), ["label", "owner.value"])) == plain


def test_E_14_members_can_be_left_out_before_they_are_read() -> None:
    assert projection(GROUP).includes("members")
    assert not projection(GROUP, (), ["members"]).includes("members")
    assert not projection(GROUP, ["displayName"]).includes("members")
    assert projection(GROUP, ["members.value"]).includes("members")


def test_index_keys() -> None:
    keys = index_keys(
        USER,
        {
            "userName": "Ann",
            "externalId": "X1",
            "displayName": "Ann É",
            "active": False,
            "emails": [{"value": "A@x"}, {"value": "a@X", "type": "work"}, {"type": "home"}],
        },
    )
    assert keys.name_key == "ann"
    assert keys.external_id == "X1"
    assert keys.display_key == "ann é"
    assert keys.active is False
    assert keys.values == (("emails.value", "a@x", False),)


def test_R_3_case_exact_names_have_case_exact_keys() -> None:
    assert index_keys(BADGE, {"serial": "aB"}).name_key == "aB"
    assert index_keys(BADGE, {}).name_key is None


@pytest.mark.parametrize(
    ("left", "right"), [("Ann", "aNN"), ("É", "e\u0301"), ("Ⅷ", "ⅷ"), ("ǅ", "ǆ"), ("K", "k")]
)
def test_O_13_R_47_name_keys_ignore_case_and_composition(left: str, right: str) -> None:
    assert name_key(left) == name_key(right)
