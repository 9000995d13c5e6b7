"""Proven here: operations come after what they need, and those of a circle come together."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.scim.references import in_rings, names_in, resolved


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    size = draw(st.integers(1, 12))
    return draw(
        st.lists(st.lists(st.integers(0, size - 1), max_size=3), min_size=size, max_size=size)
    )


def reachable(needs: list[list[int]], start: int) -> set[int]:
    found: set[int] = set()
    waiting = [start]
    while waiting:
        for each in needs[waiting.pop()]:
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found


@given(graphs())
def test_rings_are_circles_and_come_after_what_they_need(needs: list[list[int]]) -> None:
    rings = list(in_rings(needs))
    assert sorted(number for ring in rings for number in ring) == list(range(len(needs)))
    done: set[int] = set()
    for ring in rings:
        for number in ring:
            together = {n for n in reachable(needs, number) if number in reachable(needs, n)}
            assert set(ring) == together | {number}
            assert set(needs[number]) <= done | set(ring)
        done |= set(ring)


def test_without_needs_the_order_stays() -> None:
    assert list(in_rings([[], [], []])) == [[0], [1], [2]]
    assert list(in_rings([[2], [], []])) == [[2], [0], [1]]


def test_a_long_chain_needs_no_stack() -> None:
    size = 100_000
    rings = list(in_rings([[n + 1] for n in range(size - 1)] + [[]]))
    assert rings == [[n] for n in reversed(range(size))]


def test_references_are_found_and_replaced_where_they_stand_whole() -> None:
    value = {
        "value": "bulkId:a",
        "path": 'members[value eq "bulkId:b"]',
        "$ref": ["/Users/bulkId:c", 7, None],
        "title": "see bulkId:d or xbulkId:e",
    }
    assert list(names_in(value)) == ["a", "b", "c"]
    assert resolved(value, str.upper) == {
        "value": "A",
        "path": 'members[value eq "B"]',
        "$ref": ["/Users/C", 7, None],
        "title": "see bulkId:d or xbulkId:e",
    }
