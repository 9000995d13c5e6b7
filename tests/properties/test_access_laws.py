"""Laws of access deltas, for any history of one workspace."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bridge.codec import CHANGE_COLUMNS, change_of, change_row
from bridge.core.access import WORKSPACE, Access, AccessDelta, AccessState, Level
from bridge.core.changes import Cause, ChangeRecord, MemberDelta, between, coalesce
from bridge.core.resources import Entity, Resource

SALES = Entity("acme", WORKSPACE, "w1")
CAUSE = Cause("admin:ann", "req", datetime(2026, 1, 1, tzinfo=UTC))
USERS = ("u1", "u2", "u3", "u4")

Held = dict[str, tuple[Level, AccessState]]
held = st.dictionaries(
    st.sampled_from(USERS), st.tuples(st.sampled_from(Level), st.sampled_from(AccessState))
)
documents = st.sampled_from(["Sales", "Selling"]).map(lambda name: {"displayName": name})
histories = st.lists(st.tuples(documents, held), min_size=1, max_size=8)


def delta(before: Held, after: Held) -> AccessDelta:
    differing = [user for user in USERS if before.get(user) != after.get(user)]
    return AccessDelta(
        granted=tuple(Access(user, *after[user]) for user in differing if user in after),
        revoked=tuple(Access(user, *before[user]) for user in differing if user in before),
    )


def history(states: list[tuple[dict[str, str], Held]]) -> list[ChangeRecord]:
    """The change records of a workspace that goes through `states`, the first its creation."""
    changes: list[ChangeRecord] = []
    resource: Resource | None = None
    was: Held = {}
    for document, now in states:
        moved = delta(was, now)
        change = between(SALES, resource, document, MemberDelta(), CAUSE, access=moved)
        if change is not None:
            changes.append(change)
            resource = Resource(SALES, change.version, document, CAUSE.at, CAUSE.at)
            was = now
    return changes


def apply(change: ChangeRecord, before: Held) -> Held:
    after = dict(before)
    for access in change.access.revoked:
        assert after.pop(access.user) == (access.level, access.state), "what was is what it says"
    for access in change.access.granted:
        assert access.user not in after, "a user stands once in what is"
        after[access.user] = (access.level, access.state)
    return after


@given(histories, st.data())
def test_coalescing_any_stretch_equals_going_step_by_step(
    states: list[tuple[dict[str, str], Held]], data: st.DataObject
) -> None:
    changes = history(states)
    start = data.draw(st.integers(0, len(changes) - 1))
    end = data.draw(st.integers(start + 1, len(changes)))
    before: Held = {}
    for change in changes[:start]:
        before = apply(change, before)
    many = before
    for change in changes[start:end]:
        many = apply(change, many)
    one = coalesce(changes[start:end])
    assert apply(one, before) == many
    assert set(one.access.granted) == set(delta(before, many).granted)
    assert set(one.access.revoked) == set(delta(before, many).revoked)
    assert one.references == one.access.users


@given(histories)
def test_a_whole_history_coalesces_to_a_creation_with_everybody_in_it(
    states: list[tuple[dict[str, str], Held]],
) -> None:
    one = coalesce(history(states))
    assert one.before is None
    assert not one.access.revoked
    assert {a.user: (a.level, a.state) for a in one.access.granted} == states[-1][1]


@given(histories)
def test_a_record_comes_back_from_its_row(states: list[tuple[dict[str, str], Held]]) -> None:
    for change in history(states):
        row = change_row(change)
        assert change_of([row[name] for name in CHANGE_COLUMNS]) == change


@given(st.lists(st.sampled_from(Level), min_size=2, max_size=3))
def test_levels_are_ordered_by_strength_and_not_by_letter(levels: list[Level]) -> None:
    order = [Level.VIEW, Level.CHECK, Level.EDIT]
    assert sorted(levels) == sorted(levels, key=order.index)
    assert max(levels) == order[max(order.index(level) for level in levels)]
    assert (levels[0] >= levels[1]) is not (levels[0] < levels[1])
    assert (levels[0] <= levels[1]) is not (levels[0] > levels[1])
