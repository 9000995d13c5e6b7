"""Laws of schemas, filters and PATCH, for any user and any filter."""

import copy
import sys
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.core.filters import (
    And,
    AttributePath,
    Compare,
    Comparison,
    FilterNode,
    Not,
    Or,
    Present,
    Within,
    bind,
    evaluate,
    parse_filter,
)
from bridge.core.patch import PATCH_URN, Patched, apply, parse_operations
from bridge.core.schema import (
    ENTERPRISE_URN,
    USER,
    Quirk,
    index_keys,
    name_key,
    normalize,
    projection,
    render,
    replace,
)
from tests.properties.resources import BODIES, NAMES, TEXT

WORDS = st.from_regex(r"[A-Za-z$_][A-Za-z0-9$_.:/%~+-]{0,8}", fullmatch=True)
LITERALS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
)


def filters(inside: st.SearchStrategy[FilterNode]) -> st.SearchStrategy[FilterNode]:
    terms = st.lists(inside, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, inside) | st.builds(And, terms) | st.builds(Or, terms)


PATHS = st.builds(AttributePath, WORDS)
TERMS: st.SearchStrategy[FilterNode] = st.builds(
    Compare, PATHS, st.sampled_from(Comparison), LITERALS
) | st.builds(Present, PATHS)
ENTRIES = st.recursive(TERMS, filters, max_leaves=4)
FILTERS = st.recursive(TERMS | st.builds(Within, PATHS, ENTRIES), filters, max_leaves=6)

USER_TERMS = st.sampled_from(
    [
        *('title eq "a"', 'userName sw "A"', "active eq true", "title pr", 'title ne "b"'),
        *('emails eq "a"', 'emails[type eq "work" and value co "b"]', "emails.primary ne true"),
        *('emails[not (type eq "home")]', 'name.givenName gt "a"', "manager pr", "name eq null"),
        *('phoneNumbers[type eq "work"].value ew "1"', 'department le "B"'),
    ]
).map(parse_filter)
USER_FILTERS = st.recursive(USER_TERMS, filters, max_leaves=5)


def document(body: dict[str, Any]) -> dict[str, Any]:
    return dict(normalize(USER, body).attributes)


def patched(before: dict[str, Any], *operations: dict[str, Any]) -> Patched:
    body = {"schemas": [PATCH_URN], "Operations": list(operations)}
    return apply(USER, before, parse_operations(body))


@given(FILTERS)
def test_a_printed_filter_is_read_as_itself(node: FilterNode) -> None:
    assert parse_filter(str(node)) == node


@given(USER_FILTERS, BODIES)
def test_a_bound_filter_printed_means_the_same(node: FilterNode, body: dict[str, Any]) -> None:
    bound = bind(node, USER)
    assume("[" not in str(bound))  # paths in brackets are printed from the resource's root
    assert evaluate(bind(parse_filter(str(bound)), USER), body) == evaluate(bound, body)


@given(USER_FILTERS, USER_FILTERS, BODIES)
def test_and_or_not_are_boolean_algebra(
    left: FilterNode, right: FilterNode, body: dict[str, Any]
) -> None:
    held = document(body)

    def holds(node: FilterNode) -> bool:
        return evaluate(bind(node, USER), held)

    assert holds(And((left, right))) == (holds(left) and holds(right))
    assert holds(Or((left, right))) == (holds(left) or holds(right))
    assert holds(Not(left)) != holds(left)


def test_name_keys_are_stable_for_every_code_point() -> None:
    moved = [
        code for code in range(sys.maxunicode + 1) if (key := name_key(chr(code))) != name_key(key)
    ]
    assert moved == []


@given(st.text(max_size=20))
def test_name_keys_are_stable_and_ignore_case(text: str) -> None:
    key = name_key(text)
    assert name_key(key) == key
    if text.isascii():
        assert name_key(text.upper()) == name_key(text.swapcase()) == key


@given(BODIES)
def test_what_was_read_once_is_read_again_as_it_is(body: dict[str, Any]) -> None:
    held = document(body)
    assert document({"schemas": USER.schemas(held)} | held) == held


@given(BODIES)
def test_a_put_of_what_was_shown_changes_nothing(body: dict[str, Any]) -> None:
    held = document(body)
    shown = {"schemas": USER.schemas(held), "id": "1", "meta": {}} | render(USER, held)
    incoming = normalize(USER, shown)
    assert replace(USER, held, incoming) == held
    assert incoming.tolerated == set()


@given(BODIES, BODIES)
def test_a_put_is_done_once_for_all(before: dict[str, Any], body: dict[str, Any]) -> None:
    incoming = normalize(USER, body)
    once = replace(USER, document(before), incoming)
    assert replace(USER, once, incoming) == once
    assert once.get("active") == body.get("active", before.get("active"))


@given(BODIES, st.sampled_from(["add", "replace"]))
def test_a_patch_with_the_held_values_changes_nothing(body: dict[str, Any], op: str) -> None:
    held = document(body)
    assert patched(held, {"op": op, "value": held}).attributes is held
    each = [{"op": op, "path": name, "value": value} for name, value in held.items()]
    assert patched(held, *each).attributes is held


@given(BODIES, BODIES, st.sampled_from(["add", "replace"]))
def test_a_patch_is_pure_and_done_once_for_all(
    before: dict[str, Any], body: dict[str, Any], op: str
) -> None:
    held = document(before)
    kept = copy.deepcopy(held)
    once = patched(held, {"op": op, "value": body}).attributes
    assert held == kept
    assert patched(dict(once), {"op": op, "value": body}).attributes == once
    for name in ("emails", "phoneNumbers"):
        assert sum(e.get("primary") is True for e in once.get(name, ())) <= 1


@given(BODIES)
def test_removing_everything_optional_leaves_the_name(body: dict[str, Any]) -> None:
    held = document(body)
    removals = [{"op": "remove", "path": name} for name in held if name != "userName"]
    left = {"userName": held["userName"]}
    assert (patched(held, *removals).attributes if removals else left) == left


@given(BODIES, st.booleans())
def test_string_booleans_are_as_good_as_booleans(body: dict[str, Any], value: bool) -> None:
    real, text = (normalize(USER, body | {"active": v}) for v in (value, str(value)))
    assert real.attributes == text.attributes
    assert text.tolerated - real.tolerated == {Quirk.STRING_BOOLEAN}


@given(BODIES)
def test_index_keys_find_what_a_filter_finds(body: dict[str, Any]) -> None:
    held = document(body)
    keys = index_keys(USER, held)
    for path, key, _ in keys.values:
        assert evaluate(bind(Compare(AttributePath(path), Comparison.EQ, key), USER), held)
    name = Compare(AttributePath("userName"), Comparison.EQ, keys.name_key)
    assert evaluate(bind(name, USER), held)


@given(BODIES, st.lists(st.sampled_from(["name", "emails.value", "title", ENTERPRISE_URN])))
def test_what_is_asked_for_and_what_is_left_out_are_everything(
    body: dict[str, Any], paths: list[str]
) -> None:
    assume(paths)
    held = document(body)
    wanted = render(USER, held, projection(USER, paths))
    others = render(USER, held, projection(USER, (), paths))
    assert wanted.keys() | others.keys() == held.keys()
    assert wanted.keys() & others.keys() <= {"emails"}


@given(NAMES, TEXT)
def test_a_value_added_through_a_filter_is_found_by_it(name: str, value: str) -> None:
    quoted = str(Compare(AttributePath("type"), Comparison.EQ, value))
    path = f"phoneNumbers[{quoted}]"
    after = patched(
        {"userName": name}, {"op": "add", "path": f"{path}.value", "value": "1"}
    ).attributes
    assert after["phoneNumbers"] == [{"type": value, "value": "1"}]
    assert evaluate(bind(parse_filter(path), USER), after)
    assert patched(dict(after), {"op": "remove", "path": path}).attributes == {"userName": name}
