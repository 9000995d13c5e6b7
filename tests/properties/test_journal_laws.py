"""Laws of the journal's write path, for any history.

Proven: what is written is the model's state; versions have no gap; change records replay to the
current state.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from bridge.codec import CHANGE_COLUMNS, change_of, change_row, decode, encode
from bridge.core.changes import Cause, ChangeRecord, Operation
from bridge.core.errors import InvalidValue, Uniqueness
from bridge.core.members import (
    AddMembers,
    MemberEdit,
    RemoveMatching,
    RemoveMembers,
    ReplaceMembers,
)
from bridge.core.resources import Member, Resource
from bridge.core.schema import (
    GROUP,
    USER,
    ResourceType,
    name_key,
)
from bridge.journal import members, record, resources, tables
from bridge.journal.store import Journal, Reader, Transaction, prepared
from tests.properties.test_changes_laws import histories, history

START = datetime(2026, 1, 1, tzinfo=UTC)
BASE = "https://bridge.example/scim/v2"

_CHANGES = prepared(
    select(*(tables.change.c[name] for name in CHANGE_COLUMNS)).order_by(tables.change.c.sequence)
)
_TARGETS = prepared(
    select(tables.cursor.c.organization, tables.cursor.c.entity, tables.cursor.c.target)
)


# --- Codec --------------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
JSON = st.recursive(
    SCALARS, lambda inside: st.lists(inside) | st.dictionaries(st.text("aé"), inside), max_leaves=9
)


@given(JSON)
def test_documents_come_back_as_they_were_with_keys_in_order(value: Any) -> None:
    again = decode(encode(value))
    assert again == value
    assert encode(again) == encode(value)


@given(histories)
def test_a_change_record_comes_back_from_its_row(states: Any) -> None:
    for change in history(states):
        row = change_row(change)
        assert change_of([row[name] for name in CHANGE_COLUMNS]) == change


# --- The write path against a model -------------------------------------------------------------

USERS = ("u1", "u2", "u3", "u4")
GROUPS = ("g1", "g2")
NAMES = st.sampled_from(["ann", "Ann", "bob", "É", "e\u0301"])
IDS = st.lists(st.sampled_from([*USERS, *GROUPS]), max_size=4).map(tuple)
EDITS = st.lists(
    st.builds(AddMembers, IDS)
    | st.builds(RemoveMembers, IDS)
    | st.builds(ReplaceMembers, IDS)
    | st.sampled_from([RemoveMatching(lambda m: m.type == "Group"), RemoveMatching(bool)]),
    max_size=3,
)


class Histories(RuleBasedStateMachine):
    """Any sequence of creations, updates, edits of members and deletions, in one organization."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal
        self.organization = uuid.uuid4().hex
        self.clock = START
        self.documents: dict[str, dict[str, Any]] = {}
        self.members: dict[str, set[str]] = {}
        self.versions: dict[str, int] = {}
        self.ids: dict[str, str] = {}

    def cause(self) -> Cause:
        self.clock += timedelta(seconds=1)
        return Cause("connection:law", "request", self.clock)

    def current(self, tx: Transaction, name: str) -> Resource:
        found = resources.get(tx, _rtype(name), self.organization, self.ids[name])
        assert found is not None
        return found

    def real(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.ids.get(name, f"no-{name}") for name in names)

    def taken(self, name: str, text: str) -> bool:
        return any(
            name_key(next(iter(document.values()))) == name_key(text)
            for other, document in self.documents.items()
            if other != name and _rtype(other) is _rtype(name)
        )

    def possible(self, group: str, names: Sequence[str]) -> bool:
        return all(name in self.documents and name != group for name in names)

    def tries(self, allowed: bool, unit: Callable[[Transaction], Any]) -> bool:
        """Do the unit; it has to be refused unless it is `allowed`. Return whether it was done."""
        if allowed:
            self.journal.write_now(unit)
        else:
            with pytest.raises((Uniqueness, InvalidValue)):
                self.journal.write_now(unit)
        return allowed

    @rule(name=st.sampled_from([*USERS, *GROUPS]), text=NAMES, ids=IDS)
    def create(self, name: str, text: str, ids: tuple[str, ...]) -> None:
        if name in self.documents:
            return
        rtype, wanted = _rtype(name), ids if name in GROUPS else ()
        document, new_id = {_attribute(name): text}, uuid.uuid4().hex
        allowed = not self.taken(name, text) and self.possible(name, wanted)
        real = self.real(wanted)

        def unit(tx: Transaction) -> Resource:
            return record.create(tx, rtype, self.organization, new_id, document, real, self.cause())

        if self.tries(allowed, unit):
            self.ids[name], self.documents[name] = new_id, document
            self.versions[new_id], self.members[name] = 1, set(wanted)

    @precondition(lambda self: self.documents)
    @rule(data=st.data(), text=NAMES | st.none(), title=st.sampled_from(["a", "b"]), edits=EDITS)
    def update(
        self, data: st.DataObject, text: str | None, title: str, edits: list[MemberEdit]
    ) -> None:
        name = data.draw(st.sampled_from(sorted(self.documents)))
        edits = edits if name in GROUPS else []
        document = dict(self.documents[name])
        if text is not None:
            document = {_attribute(name): text, "title": title}
        after, allowed = self._edited(name, edits)
        allowed = allowed and not self.taken(name, document[_attribute(name)])
        changed = document != self.documents[name] or after != self.members[name]
        real = [self._real_edit(edit) for edit in edits]

        def unit(tx: Transaction) -> None:
            before = self.current(tx, name)
            written = record.update(tx, _rtype(name), before, document, real, self.cause())
            assert (written is before) == (not changed)
            assert written == self.current(tx, name)

        if self.tries(allowed, unit):
            self.documents[name], self.members[name] = document, after
            self.versions[self.ids[name]] += changed

    def _edited(self, name: str, edits: Sequence[MemberEdit]) -> tuple[set[str], bool]:
        now = set(self.members[name])
        for edit in edits:
            match edit:
                case AddMembers(ids=ids):
                    if not self.possible(name, [i for i in ids if i not in now]):
                        return now, False
                    now |= set(ids)
                case RemoveMembers(ids=ids):
                    now -= set(ids)
                case ReplaceMembers(ids=ids):
                    if not self.possible(name, [i for i in ids if i not in now]):
                        return now, False
                    now = set(ids)
                case RemoveMatching(matches=matches):
                    now -= set(now) if matches is bool else {i for i in now if i in GROUPS}
        return now, True

    def _real_edit(self, edit: MemberEdit) -> MemberEdit:
        return edit if isinstance(edit, RemoveMatching) else type(edit)(self.real(edit.ids))

    @precondition(lambda self: self.documents)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.documents)))
        self.journal.write_now(
            lambda tx: record.delete(tx, _rtype(name), self.current(tx, name), self.cause())
        )
        del self.documents[name], self.members[name]
        self.versions[self.ids[name]] += 1
        for other, inside in self.members.items():
            if name in inside:
                inside.remove(name)
                self.versions[self.ids[other]] += 1

    @invariant()
    def the_journal_holds_the_model(self) -> None:
        for name, document in self.documents.items():
            resource, held = self.journal.read_now(partial(self._held, name))
            assert resource is not None
            assert resource.attributes == document
            assert resource.version == self.versions[self.ids[name]]
            assert {m.id for m in held} == set(self.real(tuple(self.members[name])))

    def _held(self, name: str, reader: Reader) -> tuple[Resource | None, list[Member]]:
        place = self.organization, self.ids[name]
        return resources.get(reader, _rtype(name), *place), members.all_of(reader, *place)

    def teardown(self) -> None:
        rows = self.journal.read_now(lambda r: r.rows(_CHANGES))
        own = [change_of(row) for row in rows if row[0] == self.organization]
        lines: dict[str, list[ChangeRecord]] = {}
        for change in own:
            lines.setdefault(change.entity.id, []).append(change)
        for entity, line in lines.items():
            assert [c.version for c in line] == list(range(1, self.versions[entity] + 1))
            self._replays(entity, line)
        assert lines.keys() == self.versions.keys()
        cursors = self.journal.read_now(lambda r: r.rows(_TARGETS))
        assert {e: t for o, e, t in cursors if o == self.organization} == self.versions

    def _replays(self, entity: str, line: Sequence[ChangeRecord]) -> None:
        document: Any = None
        inside: set[str] = set()
        for change in line:
            assert change.before == document
            document = change.after
            inside |= {m.id for m in change.members.added}
            inside -= {m.id for m in change.members.removed}
        name = next((n for n in self.documents if self.ids[n] == entity), None)
        assert document == (self.documents[name] if name else None)
        if name:
            assert inside == set(self.real(tuple(self.members[name])))
        else:
            assert line[-1].operation is Operation.DELETE


def _rtype(name: str) -> ResourceType:
    return GROUP if name in GROUPS else USER


def _attribute(name: str) -> str:
    return "displayName" if name in GROUPS else "userName"


def test_any_history_is_the_models(journal: Journal) -> None:
    class InJournal(Histories):
        def __init__(self) -> None:
            super().__init__(journal)

    run_state_machine_as_test(InJournal, settings=settings(max_examples=60, stateful_step_count=25))
