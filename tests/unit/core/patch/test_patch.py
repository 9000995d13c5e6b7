"""PATCH of a document as RFC 7644 section 3.5.2 states it."""

from typing import Any

import pytest

from bridge.core import errors
from bridge.core.errors import (
    InvalidFilter,
    InvalidPath,
    InvalidSyntax,
    InvalidValue,
    NoTarget,
    PayloadTooLarge,
    ScimError,
)
from bridge.core.filters import bind, evaluate, parse_filter
from bridge.core.patch import OPERATIONS_LIMIT, PATCH_URN, parse_operations
from bridge.core.schema import (
    ENTERPRISE_URN,
    STRICT,
    USER_URN,
    Attribute,
    Mutability,
    Quirk,
    ResourceType,
    Schema,
    Type,
)
from bridge.core.schema.values import VALUES_LIMIT
from tests.unit.core.patch.patching import ANN, REPLACING, Document, changes, op, patched


def test_E_19_R_31_operations_apply_in_order() -> None:
    before = ANN | {"externalId": "1"}
    steps = (
        op("remove", "externalId"),
        op("add", "externalId", "2"),
        op("replace", "externalId", "3"),
    )
    assert changes(*steps, before=before) == {"externalId": "3"}


def test_R_31_a_failure_changes_nothing() -> None:
    before = {**ANN}
    with pytest.raises(InvalidValue):
        patched(op("replace", "title", "x"), op("replace", "active", 5), before=before)
    assert before == ANN


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ({"op": "move", "path": "title", "value": "x"}, InvalidSyntax),
        ({"path": "title", "value": "x"}, InvalidSyntax),
        ("replace", InvalidSyntax),
        (op("remove"), NoTarget),
        ({"op": "add", "path": "title"}, InvalidValue),
        (op("replace", value="x"), InvalidValue),
        (op("replace", value=None), InvalidValue),
        (op("replace", ENTERPRISE_URN, "x"), InvalidValue),
        ({"op": "add", "path": 5, "value": "x"}, InvalidPath),
        (op("add", " ", "x"), InvalidPath),
        (op("add", "nosuch", "x"), InvalidPath),
        (op("add", "name.nosuch", "x"), InvalidPath),
        (op("add", "title.x", "x"), InvalidPath),
        (op("add", f"{USER_URN}:nosuch", "x"), InvalidPath),
        (op("add", f"{ENTERPRISE_URN}:nosuch", "x"), InvalidPath),
        (op("add", "members", []), InvalidPath),
        (op("add", "emails[type eq", "x"), InvalidPath),
        (op("add", 'emails[type eq "work"].nosuch', "x"), InvalidPath),
        (op("add", 'name[givenName eq "Ann"]', "x"), InvalidPath),
        (op("add", 'emails.value[value eq "x"]', "x"), InvalidPath),
        (op("add", 'emails[nosuch eq "x"].value', "x"), InvalidFilter),
        (op("add", "emails[primary gt true].value", "x"), InvalidFilter),
    ],
)
def test_R_30_malformed_operations_are_refused(operation: Any, error: type[ScimError]) -> None:
    with pytest.raises(error):
        patched(operation)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"schemas": [PATCH_URN]},
        {"schemas": [PATCH_URN], "Operations": []},
        {"schemas": [PATCH_URN], "Operations": {}},
        {"schemas": [USER_URN], "Operations": [op("remove", "title")]},
        {"Operations": [op("remove", "title")]},
    ],
)
def test_R_30_malformed_bodies_are_refused(body: Document) -> None:
    with pytest.raises(InvalidSyntax):
        parse_operations(body)


def test_R_1_names_in_a_patch_body_are_read_in_any_case() -> None:
    body = {
        "SCHEMAS": [PATCH_URN.upper()],
        "operations": [{"OP": "REPLACE", "Path": "title", "VALUE": "x"}],
    }
    (operation,) = parse_operations(body)
    assert (operation.op, operation.path, operation.value) == ("replace", "title", "x")


def test_a_patch_has_a_limit_of_operations() -> None:
    assert patched(*[op("add", "title", "x")] * OPERATIONS_LIMIT).attributes["title"] == "x"
    with pytest.raises(PayloadTooLarge, match=str(OPERATIONS_LIMIT)):
        patched(*[op("add", "title", "x")] * (OPERATIONS_LIMIT + 1))


def test_an_unknown_extension_is_ignored_unless_strict() -> None:
    for operation in (op("add", "urn:never:heard:x", 1), op("add", value={"urn:never:heard": {}})):
        result = patched(operation)
        assert result.attributes is ANN
        assert result.tolerated == {Quirk.UNKNOWN_EXTENSION}
        with pytest.raises(InvalidPath):
            patched(operation, tolerance=STRICT)
    assert patched(op("add", value={"nosuch": 1})).tolerated == {Quirk.UNKNOWN_ATTRIBUTE}


@pytest.mark.parametrize(
    "operation",
    [
        op("add", "emails", [{"value": "w@x", "type": "work"}]),
        op("add", "emails", [{"value": "W@X", "type": "work", "primary": True, "display": None}]),
        op("add", "emails", []),
        op("replace", "emails", ANN["emails"]),
        op("add", "userName", "ann"),
        op("replace", "name", {"givenName": "Ann"}),
        op("replace", 'emails[type eq "work"].value', "w@x"),
        op("remove", "nickName"),
        op("remove", "phoneNumbers"),
        op("remove", 'emails[type eq "other"]'),
        op("remove", "emails", [{"value": "nobody@x"}]),
        op("remove", f"{ENTERPRISE_URN}:manager"),
        op("replace", value={}),
    ],
)
def test_R_32_R_35_O_37_what_changes_nothing_gives_back_the_same_document(
    operation: Document,
) -> None:
    if operation.get("value") and "W@X" in str(operation["value"]):
        assert changes(operation)["emails"][0]["value"] == "W@X"  # only its case is new
    else:
        assert patched(operation).attributes is ANN


def test_R_32_add_appends_to_many_and_replaces_one() -> None:
    new = {"value": "o@x", "type": "other"}
    assert changes(op("add", "emails", [new])) == {"emails": [*ANN["emails"], new]}
    assert changes(op("add", "emails", new)) == {"emails": [*ANN["emails"], new]}
    assert changes(op("add", "userName", "bob")) == {"userName": "bob"}


def test_R_5_a_new_primary_resets_the_old_one() -> None:
    work, home = ANN["emails"]
    reset = work | {"primary": False}
    new = {"value": "o@x", "primary": True}
    assert changes(op("add", "emails", [new])) == {"emails": [reset, home, new]}
    expected = {"emails": [reset, home | {"primary": True}]}
    assert changes(op("replace", 'emails[type eq "home"].primary', True)) == expected
    assert changes(op("add", 'emails[type eq "home"]', {"primary": "True"})) == expected


def test_R_5_of_several_made_primary_at_once_the_first_stays() -> None:
    work, home = ANN["emails"]
    for operation in (
        op("replace", "emails[value pr].primary", True),
        op("add", "emails.primary", True),
    ):
        expected = [work, home | {"primary": False}]
        assert changes(operation) == {"emails": expected}
        with pytest.raises(InvalidValue, match="primary"):
            patched(operation, tolerance=STRICT)


def test_an_added_value_may_not_contradict_the_filter_that_describes_it() -> None:
    for operation in (
        op("add", 'ims[type eq "xmpp"].type', "icq"),
        op("add", 'ims[type eq "xmpp"]', {"type": "icq", "value": "1"}),
    ):
        with pytest.raises(InvalidValue, match="contradicts"):
            patched(operation)


def test_R_33_replace_sets_merges_or_replaces_all() -> None:
    assert changes(op("replace", "title", "x")) == {"title": "x"}
    merged = {"name": {"givenName": "Ann", "familyName": "New"}}
    assert changes(op("replace", "name", {"familyName": "New"})) == merged
    emails = [{"value": "n@x"}]
    assert changes(op("replace", "emails", emails)) == {"emails": emails}
    every = [e | {"display": "d"} for e in ANN["emails"]]
    assert changes(op("replace", "emails[value pr].display", "d")) == {"emails": every}
    assert changes(op("replace", "emails.display", "d")) == {"emails": every}
    assert changes(op("add", "ims.value", "i")) == {"ims": [{"value": "i"}]}


def test_R_33_replace_through_a_filter_that_matches_nothing_has_no_target() -> None:
    operation = op("replace", 'phoneNumbers[type eq "mobile"].value', "555")
    with pytest.raises(NoTarget):
        patched(operation)
    created = changes(operation, tolerance=REPLACING)
    assert created == {"phoneNumbers": [{"type": "mobile", "value": "555"}]}


def test_R_34_replace_of_an_entry_and_of_a_part_of_it() -> None:
    work, home = ANN["emails"]
    for value in ({"value": "n@x"}, [{"value": "n@x"}]):
        operation = op("replace", 'emails[type eq "home"]', value)
        assert changes(operation) == {"emails": [work, {"value": "n@x"}]}
    part = op("replace", 'emails[type eq "home"].value', "n@x")
    assert changes(part) == {"emails": [work, home | {"value": "n@x"}]}
    with pytest.raises(InvalidValue, match="one value"):
        patched(op("replace", 'emails[type eq "home"]', [{"value": "a"}, {"value": "b"}]))


def test_R_35_remove() -> None:
    work, home = ANN["emails"]
    assert changes(op("remove", "emails")) == {"emails": None}
    assert changes(op("remove", 'emails[type eq "work"]')) == {"emails": [home]}
    assert changes(op("remove", "emails[value pr]")) == {"emails": None}
    assert changes(op("remove", 'emails[type eq "home"].value')) == {
        "emails": [work, {"type": "home"}]
    }
    assert changes(op("remove", "emails.primary")) == {
        "emails": [{"value": "w@x", "type": "work"}, home]
    }
    assert changes(op("remove", ENTERPRISE_URN)) == {ENTERPRISE_URN: None}
    names = (op("remove", "name.givenName"), op("remove", "name.familyName"))
    assert changes(*names) == {"name": None}


def test_a_remove_with_values_removes_only_those() -> None:
    work, home = ANN["emails"]
    for value in ([{"value": "W@x"}], [{"value": "w@x", "$ref": None}], {"type": "work"}):
        result = patched(op("remove", "emails", value))
        assert result.attributes["emails"] == [home]
        assert Quirk.REMOVE_NAMED in result.tolerated
    assert changes(op("remove", "emails", [work]), tolerance=STRICT) == {"emails": None}


def test_a_patch_cannot_grow_a_list_beyond_its_limit() -> None:
    before = {"userName": "a", "ims": [{"value": str(n)} for n in range(VALUES_LIMIT)]}
    assert patched(op("remove", "ims", before["ims"]), before=before).attributes == {
        "userName": "a"
    }
    for operation in (op("add", "ims", {"value": "x"}), op("add", 'ims[type eq "x"].value', "x")):
        with pytest.raises(InvalidValue, match=str(VALUES_LIMIT)):
            patched(operation, before=before)


def test_a_remove_through_a_filter_that_matches_nothing_is_counted_or_refused() -> None:
    operation = op("remove", 'emails[type eq "other"]')
    assert patched(operation).tolerated == {Quirk.REMOVE_NOTHING}
    with pytest.raises(NoTarget):
        patched(operation, tolerance=STRICT)


@pytest.mark.parametrize(
    "operation",
    [
        op("replace", "id", "x"),
        op("add", "meta.created", "2026-01-01T00:00:00Z"),
        op("remove", "groups"),
        op("add", "groups", [{"value": "g"}]),
        op("remove", "userName"),
        op("replace", "userName", None),
        op("replace", value={"userName": ""}),
        op("remove", "schemas"),
        op("replace", f"{ENTERPRISE_URN}:manager.displayName", "M"),
    ],
)
def test_R_35_R_36_required_and_readonly_attributes_stay(operation: Document) -> None:
    with pytest.raises(errors.Mutability):
        patched(operation)


def test_R_36_immutable_attributes_may_be_added_once() -> None:
    rtype = ResourceType(
        "Fixed",
        "/Fixed",
        Schema("urn:f", "Fixed", (Attribute("once", mutability=Mutability.IMMUTABLE),)),
    )
    assert patched(op("add", "once", "x"), before={}, rtype=rtype).attributes == {"once": "x"}
    held = {"once": "x"}
    assert patched(op("replace", "once", "x"), before=held, rtype=rtype).attributes is held
    for operation in (op("replace", "once", "y"), op("remove", "once")):
        with pytest.raises(errors.Mutability):
            patched(operation, before=held, rtype=rtype)


def test_R_37_R_38_an_extension_comes_with_its_first_attribute() -> None:
    before = {"userName": "ann"}
    number = {ENTERPRISE_URN: {"employeeNumber": "7"}}
    for operation in (
        op("add", f"{ENTERPRISE_URN}:employeeNumber", "7"),
        op("add", ENTERPRISE_URN, {"employeeNumber": "7"}),
        op("replace", ENTERPRISE_URN.upper(), {"EMPLOYEENUMBER": 7}),
    ):
        assert changes(operation, before=before) == number
    merged = {ENTERPRISE_URN: {"department": "Sales", "employeeNumber": "7"}}
    assert changes(op("add", ENTERPRISE_URN, {"employeeNumber": "7"})) == merged


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (op("replace", "active", "maybe"), InvalidValue),
        (op("replace", "emails", [5.5, {"value": []}, [1]]), InvalidValue),
        (op("add", 'emails[type eq "work"].primary', "no"), InvalidValue),
        (op("replace", "userName", "a\nb"), InvalidValue),
        (op("replace", "userName", "x" * 600), InvalidValue),
        (op("add", "x509Certificates", [{"value": "not base64"}]), InvalidValue),
    ],
)
def test_R_39_the_result_is_validated(operation: Document, error: type[ScimError]) -> None:
    with pytest.raises(error):
        patched(operation)


def test_R_39_a_required_part_must_be_there_in_the_end() -> None:
    thing = Attribute(
        "thing",
        Type.COMPLEX,
        sub_attributes=(Attribute("must", required=True), Attribute("may")),
    )
    rtype = ResourceType("Thing", "/Things", Schema("urn:t", "Thing", (thing,)))
    with pytest.raises(InvalidValue, match=r"thing\.must"):
        patched(op("add", "thing", {"may": "x"}), before={}, rtype=rtype)
    before = {"thing": {"must": "y"}}
    after = patched(op("add", "thing", {"may": "x"}), before=before, rtype=rtype).attributes
    assert after == {"thing": {"must": "y", "may": "x"}}


def test_values_of_a_simple_multi_valued_attribute() -> None:
    tags = Attribute("tags", multi_valued=True)
    rtype = ResourceType("Tagged", "/Tagged", Schema("urn:t", "Tagged", (tags,)))

    def after(*operations: Document) -> Any:
        return patched(*operations, before={"tags": ["a", "b"]}, rtype=rtype).attributes.get("tags")

    assert after(op("add", "tags", ["B", "c"])) == ["a", "b", "c"]
    assert after(op("add", "tags", "c")) == ["a", "b", "c"]
    assert after(op("replace", 'tags[value eq "A"]', "z")) == ["z", "b"]
    assert after(op("remove", 'tags[value eq "a"]')) == ["b"]
    assert after(op("remove", "tags", ["b"])) == ["a"]
    assert after(op("remove", "tags[value pr]")) is None
    with pytest.raises(NoTarget):
        after(op("add", 'tags[value eq "q"]', "z"))


def test_a_list_inside_a_complex_attribute() -> None:
    uris = Attribute("uris", multi_valued=True)
    events = Attribute("events", Type.COMPLEX, sub_attributes=(uris, Attribute("label")))
    rtype = ResourceType("Feed", "/Feeds", Schema("urn:f", "Feed", (events,)))
    before = {"events": {"uris": ["a"]}}

    def after(*operations: Document) -> Document:
        return dict(patched(*operations, before=before, rtype=rtype).attributes)

    assert after(op("add", "events.uris", ["a", "b"])) == {"events": {"uris": ["a", "b"]}}
    assert after(op("replace", "events", {"uris": ["c"]})) == {"events": {"uris": ["c"]}}
    assert after(op("remove", "events.uris")) == {}
    assert evaluate(bind(parse_filter('events.uris eq "A"'), rtype), before)
