"""Proven here: a PATCH cannot keep the writer busy for long; real ones are far from that."""

import time
from typing import Any

import pytest

from bridge.core.errors import PayloadTooLarge
from bridge.core.patch import OPERATIONS_LIMIT, PATCH_URN, apply, parse_operations
from bridge.core.patch.work import WORK_LIMIT
from bridge.core.schema import GROUP, GROUP_URN, USER, USER_URN, normalize
from bridge.core.schema.values import VALUES_LIMIT

BOUND_SECONDS = 20.0
"""Far above what the limit allows for, and far below what these would take without one."""

Operation = dict[str, Any]

ENTRIES = [{"value": f"user{n}@example.com", "type": "work"} for n in range(VALUES_LIMIT)]
LONG = [{"value": f"{n}@example.com", "display": "\u03a9" * 4000} for n in range(VALUES_LIMIT)]
MANY = ("emails", "phoneNumbers", "ims", "photos", "roles", "entitlements")
TERMS = " or ".join(f'display co "{n}x"' for n in range(62))


def patched(entries: list[Any], operations: list[Operation]) -> float:
    """Apply the operations to a user with these e-mail addresses; return how long it took."""
    user = normalize(USER, {"schemas": [USER_URN], "userName": "a", "emails": entries}).attributes
    parsed = parse_operations({"schemas": [PATCH_URN], "Operations": operations})
    began = time.perf_counter()
    try:
        apply(USER, user, parsed)
    finally:
        took = time.perf_counter() - began
        assert took < BOUND_SECONDS
    return took


def each(make: Any) -> list[Operation]:
    return [make(n) for n in range(OPERATIONS_LIMIT)]


HOSTILE: dict[str, tuple[list[Any], list[Operation]]] = {
    "filters that match nothing": (
        ENTRIES,
        each(lambda n: {"op": "remove", "path": f'emails[{TERMS} or value co "zz{n}"]'}),
    ),
    "filters that match everything": (
        ENTRIES,
        each(
            lambda n: {
                "op": "replace",
                "path": f"emails[({TERMS}) or value pr].display",
                "value": str(n),
            }
        ),
    ),
    "long texts": (LONG, [{"op": "remove", "path": f"emails[{TERMS}]"}]),
    "lists of values": (
        ENTRIES,
        each(lambda _: {"op": "replace", "path": "emails", "value": ENTRIES}),
    ),
    "lists in objects": (
        [],
        each(lambda _: {"op": "replace", "value": dict.fromkeys(MANY, ENTRIES)}),
    ),
    "values to remove": (
        ENTRIES,
        each(lambda n: {"op": "remove", "path": "emails", "value": [{"value": f"{n}"}] * 1000}),
    ),
}


@pytest.mark.parametrize(("entries", "operations"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_would_take_long_is_refused(entries: list[Any], operations: list[Operation]) -> None:
    with pytest.raises(PayloadTooLarge, match=str(WORK_LIMIT)):
        patched(entries, operations)


def test_the_longest_filter_on_the_most_values_may_be_asked_once() -> None:
    longest = f'{TERMS} or value co "zz" or type pr'
    assert patched(ENTRIES, [{"op": "remove", "path": f"emails[{longest}]"}]) < BOUND_SECONDS


def test_a_hundred_changes_of_many_values_are_no_trouble() -> None:
    some = ENTRIES[:300]
    add = each(lambda n: {"op": "add", "path": "emails", "value": [{"value": f"new{n}"}]})
    change = each(
        lambda n: {
            "op": "replace",
            "path": f'emails[value eq "user{n}@example.com"].display',
            "value": "x",
        }
    )
    for operations in (add, change):
        assert patched(some, operations) < BOUND_SECONDS


def test_all_members_are_gone_through_a_few_times_only() -> None:
    group = normalize(GROUP, {"schemas": [GROUP_URN], "displayName": "g"}).attributes
    whole: Operation = {"op": "replace", "path": "members", "value": []}
    some: Operation = {"op": "remove", "path": 'members[type eq "User"]'}
    for operations, refused in (([whole, some] * 5, False), ([whole, some] * 5 + [some], True)):
        parsed = parse_operations({"schemas": [PATCH_URN], "Operations": operations})
        if refused:
            with pytest.raises(PayloadTooLarge):
                apply(GROUP, group, parsed)
        else:
            assert len(apply(GROUP, group, parsed).edits) == 10
