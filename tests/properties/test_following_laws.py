"""What is told of access is what grants, groups and users say, whatever happens in which order."""

from datetime import UTC, datetime
from itertools import count

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.codec import change_of
from bridge.core.access import AccessState, Level
from bridge.core.changes import Cause, coalesce
from bridge.core.errors import OperatorError
from bridge.core.members import AddMembers, RemoveMembers
from bridge.core.resources import Entity
from bridge.core.schema import GROUP, USER, ResourceType
from bridge.journal import access, following, grants, record, resources, subjects, targets
from bridge.journal.history import pending_rows
from bridge.journal.snapshots import snapshot
from bridge.journal.store import Journal, Transaction

ORGANIZATIONS = count(1)
USERS, GROUPS, PLACES = ("ann", "bob", "cid"), ("g1", "g2", "g3"), ("w1", "f1")

WHO = st.sampled_from(USERS)
WHAT = st.sampled_from(GROUPS)
WHERE = st.sampled_from(PLACES)
START: tuple[tuple[object, ...], ...] = (
    ("add", "g2", "ann"),
    ("add", "g1", "g2"),
    ("add", "g3", "bob"),
    ("grant", "w1", "g1", Level.EDIT),
    ("grant", "f1", "g3", Level.VIEW),
    *(("follow",) for _ in range(4)),
)
"""Groups in groups and grants, followed: what is interesting is what happens to them."""

STEPS = st.one_of(
    st.tuples(st.just("add"), WHAT, st.sampled_from([*USERS, *GROUPS])),
    st.tuples(st.just("drop"), WHAT, st.sampled_from([*USERS, *GROUPS])),
    st.tuples(st.just("active"), WHO, st.booleans()),
    st.tuples(st.just("grant"), WHERE, st.sampled_from([*USERS, *GROUPS]), st.sampled_from(Level)),
    st.tuples(st.just("take"), WHERE, st.sampled_from([*USERS, *GROUPS])),
    st.tuples(st.just("join"), WHERE, WHO),
    st.tuples(st.just("end"), st.sampled_from([*USERS, *GROUPS])),
    st.tuples(st.just("follow")),
)


def cause() -> Cause:
    return Cause("test", "test", datetime.now(UTC))


class Model:
    """The same in plain sets: who is in which group, who is active, what is granted."""

    def __init__(self) -> None:
        self.members: dict[str, set[str]] = {group: set() for group in GROUPS}
        self.active = dict.fromkeys(USERS, True)
        self.grants: dict[tuple[str, str], Level] = {}

    def around(self, subject: str) -> set[str]:
        found, reached = {subject}, [subject]
        while reached:
            inner = reached.pop()
            for group, members in self.members.items():
                if inner in members and group not in found:
                    found.add(group)
                    reached.append(group)
        return found

    def level(self, place: str, user: str) -> Level | None:
        if not self.active.get(user):
            return None
        around = self.around(user)
        levels = [
            lvl for (where, who), lvl in self.grants.items() if where == place and who in around
        ]
        return max(levels, default=None)


class Scene:
    """An organization in the journal, and its model."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.organization = f"o{next(ORGANIZATIONS)}"
        self.model = Model()
        self.places: dict[str, str] = {}
        journal.write_now(self._begin)
        for step in START:
            journal.write_now(lambda tx, step=step: self.do(tx, step))  # type: ignore[misc]

    def _begin(self, tx: Transaction) -> None:
        for user in USERS:
            self._create(tx, USER, user, {"userName": user, "active": True})
        for group in GROUPS:
            self._create(tx, GROUP, group, {"displayName": group})
        workspace = targets.create_workspace(tx, self.organization, "w1", cause())
        folder = targets.create_folder(
            tx, self.organization, workspace.id, "f1", cause(), invite_only=True
        )
        self.places = {"w1": workspace.id, "f1": folder.id}

    def _create(
        self, tx: Transaction, rtype: ResourceType, id_: str, doc: dict[str, object]
    ) -> None:
        record.create(tx, rtype, self.organization, self.id(id_), doc, (), cause())

    def id(self, name: str) -> str:
        return f"{self.organization}-{name}"

    def do(self, tx: Transaction, step: tuple[object, ...]) -> None:
        match step:
            case ("follow",):
                following.follow(tx)
            case ("add" | "drop" as verb, str(group), str(member)):
                self._edit(tx, verb, group, member)
            case ("active", str(user), bool(active)):
                self._activate(tx, user, active=active)
            case ("grant", str(place), str(subject), Level() as level):
                self._grant(tx, place, subject, level)
            case ("take", str(place), str(subject)):
                self._take(tx, place, subject)
            case ("join", str(place), str(user)):
                self._join(tx, place, user)
            case ("end", str(subject)):
                self._end(tx, subject)

    def _edit(self, tx: Transaction, verb: str, group: str, member: str) -> None:
        model = self.model
        if group not in model.members or member == group:
            return
        if member not in model.active and member not in model.members:
            return
        found = resources.get(tx, GROUP, self.organization, self.id(group))
        assert found is not None
        edit = (AddMembers if verb == "add" else RemoveMembers)((self.id(member),))
        record.update(tx, GROUP, found, found.attributes, [edit], cause())
        (model.members[group].add if verb == "add" else model.members[group].discard)(member)

    def _activate(self, tx: Transaction, user: str, *, active: bool) -> None:
        found = resources.get(tx, USER, self.organization, self.id(user))
        if found is not None:
            document = {**found.attributes, "active": active}
            record.update(tx, USER, found, document, (), cause())
            self.model.active[user] = active

    def _grant(self, tx: Transaction, place: str, subject: str, level: Level) -> None:
        kind = "User" if subject in USERS else "Group"
        target = targets.find(tx, self.organization, self.places[place])
        known = grants.find_of(tx, self.organization, target.id, self.id(subject))
        if known is not None:
            grants.change(tx, self.organization, known.id, level, cause())
        elif subject in self.model.active or subject in self.model.members:
            entity = Entity(self.organization, kind, self.id(subject))
            grants.give(tx, self.organization, target, entity, level, cause())
        else:
            return
        self.model.grants[place, subject] = level

    def _take(self, tx: Transaction, place: str, subject: str) -> None:
        target = self.places[place]
        known = grants.find_of(tx, self.organization, target, self.id(subject))
        assert (known is not None) == ((place, subject) in self.model.grants)
        if known is not None:
            grants.take(tx, self.organization, known.id, cause())
            del self.model.grants[place, subject]

    def _join(self, tx: Transaction, place: str, user: str) -> None:
        target = targets.find(tx, self.organization, self.places[place])
        reached = self.model.level(place, user)
        try:
            found = subjects.find(tx, self.organization, "User", self.id(user))
            joined = access.join(tx, self.organization, found, target, cause())
        except OperatorError:
            assert reached is None
        else:
            assert (joined.level, joined.state) == (reached, AccessState.MEMBER)

    def _end(self, tx: Transaction, subject: str) -> None:
        rtype = USER if subject in USERS else GROUP
        found = resources.get(tx, rtype, self.organization, self.id(subject))
        if found is None:
            return
        record.delete(tx, rtype, found, cause())
        model = self.model
        model.active.pop(subject, None)
        model.members.pop(subject, None)
        for members in model.members.values():
            members.discard(subject)
        model.grants = {key: level for key, level in model.grants.items() if key[1] != subject}

    def told(self, place: str) -> dict[str, Level]:
        """What the change records of a place come to."""
        id_ = self.places[place]
        rows = self.journal.read_now(lambda r: pending_rows(r, [(self.organization, id_, 0)]))
        one = coalesce([change_of(row) for row in rows[0]])
        assert not one.access.revoked
        return {held.user: held.level for held in one.access.granted}

    def kept(self, place: str) -> dict[str, Level]:
        """What a backend that starts anew is told of a place."""
        kind = "Workspace" if place == "w1" else "Folder"
        entity = Entity(self.organization, kind, self.places[place])
        whole = self.journal.read_now(lambda reader: snapshot(reader, entity))
        assert whole is not None
        return {held.user: held.level for held in whole.access.granted}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(STEPS, max_size=25))
@example([("take", "f1", "g3"), ("end", "g3")])
@example([("take", "f1", "g3"), ("drop", "g3", "bob")])
@example([("take", "w1", "g1"), ("drop", "g2", "ann")])
def test_what_is_told_in_the_end_is_what_grants_and_groups_say(
    journal: Journal, steps: list[tuple[object, ...]]
) -> None:
    scene = Scene(journal)
    for step in steps:
        journal.write_now(lambda tx, step=step: scene.do(tx, step))  # type: ignore[misc]
    while journal.write_now(following.follow):
        pass
    for place in PLACES:
        levels = {user: scene.model.level(place, user) for user in USERS}
        wanted = {scene.id(user): level for user, level in levels.items() if level is not None}
        assert scene.told(place) == wanted
        assert scene.kept(place) == wanted
