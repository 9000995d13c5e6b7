"""PATCH of a group: members become edits, each as large as its operation."""

from typing import Any

import pytest

from bridge.core import errors
from bridge.core.errors import InvalidFilter, InvalidValue, ScimError
from bridge.core.members import (
    AddMembers,
    MemberEdit,
    RemoveMatching,
    RemoveMembers,
    ReplaceMembers,
)
from bridge.core.patch import PATCH_URN, Patched, apply, parse_operations
from bridge.core.resources import Member
from bridge.core.schema import GROUP, GROUP_URN, LENIENT, STRICT, Tolerance

SALES = {"displayName": "Sales"}


def patched(*operations: dict[str, Any], tolerance: Tolerance = LENIENT) -> Patched:
    body = {"schemas": [PATCH_URN], "Operations": list(operations)}
    return apply(GROUP, SALES, parse_operations(body), tolerance)


ADD = {"op": "add", "path": "members", "value": [{"value": "u1", "display": "ann@x"}]}
REMOVE = {"op": "remove", "path": 'members[value eq "u1"]'}


@pytest.mark.parametrize(
    ("operation", "edit"),
    [
        (ADD, AddMembers(("u1",), skip_unknown=True)),
        (
            {"op": "Add", "path": "members", "value": [{"$ref": None, "value": "u1"}, "u2"]},
            AddMembers(("u1", "u2"), skip_unknown=True),
        ),
        ({"op": "add", "path": "members", "value": "u1"}, AddMembers(("u1",), skip_unknown=True)),
        (
            {"op": "add", "path": "members", "value": {"value": "u1"}},
            AddMembers(("u1",), skip_unknown=True),
        ),
        (
            {"op": "add", "value": {"members": [{"value": "u1"}]}},
            AddMembers(("u1",), skip_unknown=True),
        ),
        (
            {"op": "add", "path": f"{GROUP_URN}:MEMBERS", "value": ["u1"]},
            AddMembers(("u1",), skip_unknown=True),
        ),
        (REMOVE, RemoveMembers(("u1",))),
        ({"op": "Remove", "path": 'members[Value EQ "u1"]'}, RemoveMembers(("u1",))),
        (
            {"op": "remove", "path": 'members[value eq "u1" or value eq "u2"]'},
            RemoveMembers(("u1", "u2")),
        ),
        (
            {"op": "replace", "path": "members", "value": [{"value": "u1", "display": "x"}]},
            ReplaceMembers(("u1",)),
        ),
    ],
)
def test_O_36_O_37_E_13_member_operations_become_edits(
    operation: dict[str, Any], edit: MemberEdit
) -> None:
    result = patched(operation)
    assert result.edits == (edit,)
    assert result.attributes is SALES


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "members", "value": []},
        {"op": "replace", "path": "members", "value": None},
        {"op": "replace", "value": {"id": "g1", "displayName": "Sales", "members": []}},
        {"op": "remove", "path": "members"},
        {"op": "remove", "path": "members", "value": None},
    ],
)
def test_O_35_E_10_E_13_every_way_to_empty_a_group(operation: dict[str, Any]) -> None:
    assert patched(operation).edits == (ReplaceMembers(()),)


def test_O_33_O_34_a_rename_leaves_the_members_alone() -> None:
    result = patched({"op": "replace", "value": {"id": "g1", "displayName": "New name"}})
    assert result.attributes == {"displayName": "New name"}
    assert result.edits == ()


def test_E_13_a_remove_with_values_removes_only_those() -> None:
    operation = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "u1"}]}
    assert patched(operation).edits == (RemoveMembers(("u1",)),)
    assert patched(operation, tolerance=STRICT).edits == (ReplaceMembers(()),)
    assert patched({"op": "remove", "path": "members", "value": []}).edits == ()


def test_edits_keep_the_order_of_the_operations() -> None:
    rename = {"op": "replace", "path": "displayName", "value": "S"}
    result = patched(REMOVE, rename, ADD)
    assert result.edits == (RemoveMembers(("u1",)), AddMembers(("u1",), skip_unknown=True))
    assert result.attributes == {"displayName": "S"}


def test_other_filters_select_among_the_members() -> None:
    path = 'members[type eq "group" and not (value sw "keep")]'
    (edit,) = patched({"op": "remove", "path": path}).edits
    assert isinstance(edit, RemoveMatching)
    chosen = [Member("a", "Group"), Member("keep", "Group"), Member("b", "User")]
    assert [m.id for m in chosen if edit.matches(m)] == ["a"]


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ({"op": "remove", "path": 'members[display eq "Ann"]'}, InvalidFilter),
        ({"op": "remove", "path": "members[value pr and $ref pr]"}, InvalidFilter),
        ({"op": "remove", "path": 'members[nosuch eq "Ann"]'}, InvalidFilter),
        ({"op": "replace", "path": 'members[value eq "u1"]', "value": {"value": "u2"}},
         errors.Mutability),
        ({"op": "replace", "path": 'members[value eq "u1"].value', "value": "u2"},
         errors.Mutability),
        ({"op": "add", "path": "members.value", "value": "u2"}, errors.Mutability),
        ({"op": "add", "path": "members", "value": [{"display": "Ann"}]}, InvalidValue),
        ({"op": "remove", "path": "displayName"}, errors.Mutability),
    ],
)  # fmt: skip
def test_R_36_what_cannot_be_done_to_members(
    operation: dict[str, Any], error: type[ScimError]
) -> None:
    with pytest.raises(error):
        patched(operation)


def test_adding_a_hundred_thousand_members_looks_at_each_once() -> None:
    ids = [f"u{number}" for number in range(100_000)]
    operation = {"op": "add", "path": "members", "value": [{"value": i} for i in ids]}
    assert patched(operation).edits == (AddMembers(tuple(ids), skip_unknown=True),)
