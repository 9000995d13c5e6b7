"""A customer's tables: what does not fit is said, and nothing is made or taken on trust."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge.plugin import Defer, Park, Surprise
from bridge.testing import Carrier, World
from bridge.testing.journeys import JOURNEYS
from bridge_sql.settings import Convert, Deleted, Mapped, Membership, Settings
from bridge_sql.values import Path as ScimPath
from bridge_sql.values import Rule
from plugins.sql_backend.tests.harness import ServerHarness
from plugins.sql_backend.tests.mapped import (
    GROUPS,
    MEMBERS,
    USERS,
    MappedServer,
    MappedSqlite,
    MappedTables,
)

KINDS = ("sqlite", "postgresql", "mariadb")


@pytest.fixture(params=KINDS)
def mapped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MappedTables]:
    """The customer's tables on each kind of database in turn."""
    if request.param == "sqlite":
        harness: MappedTables = MappedSqlite(tmp_path)
    else:
        harness = MappedServer(request.getfixturevalue(request.param), "bridge_mapped_too")
    with contextlib.closing(harness):
        yield harness


@pytest.fixture
def carrier(mapped: MappedTables) -> Iterator[Carrier]:
    carrier = Carrier(mapped, World())
    yield carrier
    carrier.backend.close()


def tables_of(target: MappedTables) -> list[Any]:
    """Return every table and column that the target has."""
    if isinstance(target, MappedSqlite):
        return target.run("SELECT name, sql FROM sqlite_master ORDER BY name")
    assert isinstance(target, ServerHarness)
    return target.run(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        f"WHERE table_schema = '{target.name}' ORDER BY 1, 2"
    )


def test_nothing_is_made_or_altered(carrier: Carrier, mapped: MappedTables) -> None:
    before = tables_of(mapped)
    for change in JOURNEYS["deletes-a-member"](carrier.world):
        carrier.carry(change)
    assert carrier.backend.check()
    carrier.scanned()
    assert tables_of(mapped) == before


def test_a_late_repetition_changes_nothing(carrier: Carrier, mapped: MappedTables) -> None:
    world = carrier.world
    plans = [carrier.carried(c) for c in (world.user("ann"), world.group("sales", "ann"))]
    plans.append(carrier.carried(world.update("ann", title="Lead")))
    plans += [carrier.carried(change) for change in world.delete("ann")]
    before = mapped.content()
    for plan in plans:
        assert carrier.backend.execute(plan).already
    assert mapped.content() == before


def test_a_deleted_person_is_marked_with_the_time_of_the_change(
    carrier: Carrier, mapped: MappedTables
) -> None:
    carrier.carry(carrier.world.user("ann"))
    carrier.carry(*carrier.world.delete("ann"))
    (row,) = mapped.run("SELECT login, gone, rev, origin FROM crm_person")
    assert row[0] == "ann@example.com"
    assert str(row[1]).startswith("2026-11-02 09:00:00")
    assert tuple(row[2:]) == (2, "bridge")


def test_people_of_others_are_left_alone(carrier: Carrier, mapped: MappedTables) -> None:
    mapped.plant("stranger@example.com")
    for change in JOURNEYS["deletes-a-user"](carrier.world):
        carrier.carry(change)
    (row,) = mapped.run("SELECT login, origin FROM crm_person WHERE scim_id IS NULL")
    assert tuple(row) == ("stranger@example.com", "by hand")


def test_row_that_is_still_referred_to_is_waited_for(
    carrier: Carrier, mapped: MappedTables
) -> None:
    mapped.settings = attrs.evolve(mapped.settings, users=attrs.evolve(USERS, deleted=None))
    mapped.run("DROP TABLE crm_team_person")
    mapped.run(
        "CREATE TABLE crm_team_person (team_no INTEGER NOT NULL, member_no INTEGER NOT NULL, "
        "kind VARCHAR(20) NOT NULL, PRIMARY KEY (team_no, member_no, kind), "
        "FOREIGN KEY (member_no) REFERENCES crm_person (person_no))"
    )
    carrier.restart()
    world = carrier.world
    for change in (world.user("ann"), world.group("sales", "ann")):
        carrier.carry(change)
    gone, left = world.delete("ann")
    with pytest.raises(Defer):
        carrier.carry(gone)
    carrier.carry(left)
    carrier.carry(gone)
    carrier.expect()


@pytest.mark.parametrize("journey", JOURNEYS.values(), ids=JOURNEYS)
def test_without_a_revision_looking_mends_what_was_lost(tmp_path: Path, journey: Any) -> None:
    with contextlib.closing(MappedSqlite(tmp_path)) as target:
        target.settings = attrs.evolve(
            target.settings,
            users=attrs.evolve(USERS, revision=None),
            groups=attrs.evolve(GROUPS, revision=None),
        )
        carrier = Carrier(target, World())
        if any(c.entity.type not in ("User", "Group") for c in journey(World())):
            pytest.skip("access has no table there")
        for change in journey(carrier.world):
            plan = carrier.plan(change)
            carrier.backend.execute(plan)
            carrier.restart()
            with contextlib.suppress(Surprise):
                carrier.backend.execute(plan)
            carrier.again(change)
        carrier.expect()
        carrier.backend.close()


# --- names and values -----------------------------------------------------------------------

HOSTILE = 'per"son`; DROP TABLE x --'
COLUMNS = ("select", "na me", "a%(x)s:b?", "Ä'\"")


def test_hostile_identifiers_are_identifiers(mapped: MappedTables) -> None:
    mark = "`" if mapped.kind == "mariadb" else '"'

    def quoted(name: str) -> str:
        return mark + name.replace(mark, mark * 2) + mark

    login, id_, first, mail = map(quoted, COLUMNS)
    mapped.run(f"DROP TABLE IF EXISTS {quoted(HOSTILE)}")
    mapped.run(
        f"CREATE TABLE {quoted(HOSTILE)} ({id_} VARCHAR(64) PRIMARY KEY, {login} TEXT, "
        f"{first} TEXT, {mail} TEXT)"
    )
    paths = dict(zip(COLUMNS[2:], ("name.givenName", "emails.value"), strict=True))
    people = Mapped(table=HOSTILE, id=COLUMNS[1], columns={COLUMNS[0]: "userName", **paths})
    mapped.settings = attrs.evolve(mapped.settings, users=people, groups=None, members=None)
    world = World()
    with contextlib.closing(mapped.open()) as backend:
        assert [finding for finding in backend.check() if not finding.ok] == []
        outcomes = backend.execute_many(  # type: ignore[attr-defined]
            [backend.plan([world.user(handle)], {}) for handle in ("ann", "bob")]
        )
        assert [outcome.already for outcome in outcomes] == [False, False]
        backend.execute(backend.plan([world.update("ann", userName="x'; --%s")], {}))
        backend.execute(backend.plan(world.delete("bob"), {}))
    rows = mapped.run(f"SELECT {login}, {first}, {mail} FROM {quoted(HOSTILE)}")
    assert [tuple(row) for row in rows] == [("x'; --%s", "Ann", "ann@example.com")]
    mapped.run(f"DROP TABLE {quoted(HOSTILE)}")


@pytest.mark.parametrize(
    ("rule", "document", "held"),
    [
        (Convert(values={"true": "1", "false": "0"}, type="integer"), {"a": False}, 0),
        (Convert(lower=True), {"a": "Ann@Example.COM"}, "ann@example.com"),
        (Convert(type="integer"), {"a": "17"}, 17),
        (Convert(type="boolean"), {"a": "True"}, True),
        (
            Convert(type="timestamp"),
            {"a": "2026-11-02T10:00:00.75+01:00"},
            datetime(2026, 11, 2, 9, tzinfo=UTC),
        ),
        (Convert(), {}, None),
        (Convert(type="integer"), {}, None),
    ],
)
def test_values_are_converted(rule: Convert, document: dict[str, Any], held: Any) -> None:
    found = Rule(ScimPath.parse_all("a"), **attrs.asdict(rule)).value(document)
    assert (found, type(found)) == (held, type(held))


def test_value_that_cannot_be_converted_is_parked_with_the_setting(tmp_path: Path) -> None:
    with contextlib.closing(MappedSqlite(tmp_path)) as target:
        convert = {"login": Convert(type="integer")}
        target.settings = attrs.evolve(
            target.settings, users=attrs.evolve(USERS, convert={**USERS.convert, **convert})
        )
        with contextlib.closing(target.open()) as backend, pytest.raises(Park) as refusal:
            backend.plan([World().user("ann")], {})
    assert "users.convert.login" in refusal.value.next_step
    assert "crm_person" in refusal.value.reason


def test_group_in_a_group_is_parked_where_nothing_can_say_so(tmp_path: Path) -> None:
    with contextlib.closing(MappedSqlite(tmp_path)) as target:
        members = attrs.evolve(MEMBERS, type=None)
        target.settings = attrs.evolve(target.settings, members=members)
        world = World()
        world.group("sales")
        with contextlib.closing(target.open()) as backend, pytest.raises(Park) as refusal:
            backend.plan([world.group("all", "sales")], {})
    assert "members.type" in refusal.value.next_step


# --- what check says ------------------------------------------------------------------------


def test_check_of_what_fits_is_silent(mapped: MappedTables) -> None:
    with contextlib.closing(mapped.open()) as backend:
        findings = backend.check()
    assert [finding for finding in findings if not finding.ok] == []
    assert len(findings) == 4


def users(**changes: Any) -> dict[str, Any]:
    return {"users": attrs.evolve(USERS, **changes)}


MISFITS: dict[str, tuple[dict[str, Any], str, str]] = {
    "table": (users(table="crm_persons"), "users.table", "no table crm_persons"),
    "column": (users(columns={**USERS.columns, "mial": "title"}), "users.columns.mial", "mail"),
    "id": (users(id="scimid"), "users.id", "scim_id"),
    "id-of-numbers": (users(id="rev", revision=None), "users.id", "cannot hold a SCIM id"),
    "id-not-unique": (
        users(id="origin", constants={}, columns={"login": "userName"}, convert={}),
        "users.id",
        "does not keep",
    ),
    "key-not-unique": (users(key="tenant", organization=None), "users.key", "unique"),
    "revision": (
        users(revision="first_name", columns={"login": "userName", "status": "active"}),
        "users.revision",
        "first_name",
    ),
    "truth-into-text": (users(convert={}), "users.columns.status", "boolean is written"),
    "text-into-number": (
        users(revision=None, columns={**USERS.columns, "rev": "title"}),
        "users.columns.rev",
        "text is written",
    ),
    "time-into-text": (
        users(convert={**USERS.convert, "mail": Convert(type="timestamp")}),
        "users.columns.mail",
        "timestamp is written",
    ),
    "not-null": (users(constants={}), "users.columns", "origin"),
    "mark": (
        users(deleted=Deleted("login"), columns={"status": "active"}),
        "users.deleted.value",
        "login",
    ),
    "members": (
        {"members": attrs.evolve(MEMBERS, member="person_no")},
        "members.member",
        "no column person_no",
    ),
    "members-not-unique": (
        {"members": Membership("crm_person", "rev", "person_no")},
        "members.table",
        "that must not be null",
    ),
    "members-by-another-key": (users(key=None), "members.member", "crm_person.scim_id"),
}


@pytest.mark.parametrize(("changes", "setting", "said"), MISFITS.values(), ids=MISFITS)
def test_check_names_the_setting_at_fault(
    tmp_path: Path, changes: dict[str, Any], setting: str, said: str
) -> None:
    with contextlib.closing(MappedSqlite(tmp_path)) as target:
        target.settings = attrs.evolve(target.settings, **changes)
        with contextlib.closing(target.open()) as backend:
            wrong = [finding for finding in backend.check() if not finding.ok]
    assert wrong
    assert all(finding.code == "BRG-SQL-TABLE-SHAPE" and finding.next_step for finding in wrong)
    told = [f.message + f.next_step for f in wrong if f.message.startswith(f"{setting}:")]
    assert any(said in text for text in told)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tables": "managed", "users": USERS}, "mapped"),
        ({"tables": "mapped"}, "users"),
        ({"tables": "mapped", "users": USERS, "groups": GROUPS}, "members"),
        ({"tables": "mapped", "users": USERS, "members": MEMBERS}, "members"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        Settings(url="sqlite:///x.db", **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": {"login": "emails[x"}},
        {"columns": {"scim_id": "userName"}, "convert": {}},
        {"convert": {"nobody": Convert()}},
        {"organization": "rev"},
        {"constants": {"login": "x"}},
    ],
)
def test_a_column_has_one_meaning(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"emails|scim_id|nobody|rev|login"):
        attrs.evolve(USERS, **changes)
