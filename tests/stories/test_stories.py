"""Every story is consistent with itself: before, plus the changes, is the desired state."""

from bridge.core.resources import Entity
from bridge.testing import Kept, Story


def applied(story: Story) -> dict[Entity, Kept]:
    state = {kept.entity: kept for kept in story.before}
    for change in story.changes:
        before = state.pop(change.entity, None)
        assert (before.attributes if before else None) == change.before
        assert change.version == (before.version if before else 0) + 1
        gone = set(change.members.removed)
        members = [m for m in (before.members if before else ()) if m not in gone]
        assert gone <= set(before.members if before else ())
        if change.after is not None:
            members += change.members.added
            state[change.entity] = Kept(change.entity, change.version, change.after, tuple(members))
    return state


def test_story_ends_in_its_desired_state(story: Story) -> None:
    assert applied(story) == {kept.entity: kept for kept in story.desired}
