"""Laws of change records, for any history of one group."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.changes import Cause, ChangeRecord, MemberDelta, between, coalesce
from bridge.core.resources import Attributes, Entity, Member, Resource

SALES = Entity("acme", "Group", "g1")
CAUSE = Cause("connection:okta", "req", datetime(2026, 1, 1, tzinfo=UTC))

documents = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))
memberships = st.frozensets(st.sampled_from(["u1", "u2", "u3", "u4"]))
histories = st.lists(st.tuples(documents, memberships), min_size=1, max_size=8)


def history(states: list[tuple[Attributes, frozenset[str]]]) -> list[ChangeRecord]:
    """The change records of a group that goes through `states`, the first one its creation."""
    changes: list[ChangeRecord] = []
    before: Resource | None = None
    members: frozenset[str] = frozenset()
    for document, now in states:
        delta = MemberDelta(
            tuple(Member(m) for m in sorted(now - members)),
            tuple(Member(m) for m in sorted(members - now)),
        )
        change = between(SALES, before, document, delta, CAUSE)
        if change is not None:
            changes.append(change)
            before = Resource(SALES, change.version, document, CAUSE.at, CAUSE.at)
            members = now
    return changes


def apply(change: ChangeRecord, members: frozenset[str]) -> frozenset[str]:
    gone = {m.id for m in change.members.removed}
    assert gone <= members, "a removal names only members"
    come = {m.id for m in change.members.added}
    assert not come & members, "an addition names only non-members"
    return (members - gone) | come


@given(histories)
def test_versions_have_no_gap(states: list[tuple[Attributes, frozenset[str]]]) -> None:
    changes = history(states)
    assert [c.version for c in changes] == list(range(1, len(changes) + 1))


@given(histories, st.data())
def test_coalescing_any_stretch_equals_going_step_by_step(
    states: list[tuple[Attributes, frozenset[str]]], data: st.DataObject
) -> None:
    changes = history(states)
    start = data.draw(st.integers(0, len(changes) - 1))
    end = data.draw(st.integers(start + 1, len(changes)))
    members: frozenset[str] = frozenset()
    for change in changes[:start]:
        members = apply(change, members)
    one = coalesce(changes[start:end])
    many = members
    for change in changes[start:end]:
        many = apply(change, many)
    assert apply(one, members) == many
    assert (one.before, one.after) == (changes[start].before, changes[end - 1].after)
    assert one.version == changes[end - 1].version


@given(histories)
def test_a_whole_history_coalesces_to_a_creation(
    states: list[tuple[Attributes, frozenset[str]]],
) -> None:
    one = coalesce(history(states))
    assert one.before is None
    assert not one.members.removed
    assert {m.id for m in one.members.added} == states[-1][1]
