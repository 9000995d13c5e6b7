"""Searching: which filter finds whom, in which order and page, and by which index.

Proven on a small cast: every kind of attribute and operator, and that hostile text is only text.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from bridge.core.errors import InvalidValue
from bridge.core.filters import bind, parse_filter
from bridge.core.members import AddMembers
from bridge.core.schema import GROUP, USER, ResourceType
from bridge.journal import queries
from bridge.journal.store import Journal, Reader, open_journal
from tests.unit.journal import scene
from tests.unit.journal.scene import ACME

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ADDRESSES = {"User": "https://b/Users/", "Group": "https://b/Groups/"}
EVERYONE = "u1 u2 u3 u4"


@pytest.fixture(scope="module")
def cast(shared_journal_url: str) -> Iterator[Journal]:
    """Four users, two groups, and a stranger in another organization; nobody changes them."""
    with closing(open_journal(shared_journal_url)) as journal:
        yield _filled(journal)


@pytest.fixture(scope="module")
def embedded_cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """The same in SQLite, which plans by what indexes there are and not by how full they are."""
    with closing(open_journal(f"sqlite:///{tmp_path_factory.mktemp('cast')}/journal")) as journal:
        yield _filled(journal)


def _filled(journal: Journal) -> Journal:
    scene.create(
        journal,
        USER,
        "u1",
        {
            "userName": "Ann@example.com",
            "displayName": "Änn",
            "externalId": "X1",
            "active": True,
            "name": {"givenName": "Ann", "familyName": "O'Hara"},
            "emails": [
                {"value": "Ann@Work.example", "type": "work"},
                {"value": "ann@home.example", "type": "home", "primary": True},
            ],
            "addresses": [{"type": "work", "locality": "Paris"}],
            ENTERPRISE: {"department": "Sales", "manager": {"value": "u2"}},
        },
    )
    scene.create(
        journal,
        USER,
        "u2",
        {
            "userName": "bob",
            "externalId": "x1",
            "active": False,
            "title": "100%",
            "emails": [{"value": "bob@home.example", "type": "home"}],
            "roles": [{"value": "admin"}],
        },
    )
    scene.create(journal, USER, "u3", {"userName": "b_b", "title": "100 %", "nickName": '"; --'})
    scene.create(journal, USER, "u4", {"userName": "büb", "title": "ann"})
    scene.group(journal, "g1", "u1", "u2", name="Sales")
    scene.group(journal, "g2", "g1", name="All")
    scene.create(journal, USER, "u9", {"userName": "bob"}, organization="other")
    scene.update(journal, USER, "u4", userName="Bub")
    scene.user(journal, "gone", "bobby")
    scene.delete(journal, USER, "gone")
    return journal


def find(
    journal: Journal, rtype: ResourceType, text: str, start: int = 0, count: int = 50, **order: Any
) -> tuple[int, str]:
    node = bind(parse_filter(text), rtype) if text else None

    def query(reader: Reader) -> queries.SearchResult:
        return queries.search(
            reader, rtype, ACME, node, start=start, count=count, addresses=ADDRESSES, **order
        )

    found = journal.read_now(query)
    return found.total, " ".join(r.entity.id for r in found.resources)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # names: case does not count, wildcards are text
        ('userName eq "ANN@EXAMPLE.COM"', "u1"),
        ('userName eq "bobby"', ""),
        ('userName ne "bob"', "u1 u3 u4"),
        ('userName sw "B"', "u2 u3 u4"),
        ('userName sw "b_"', "u3"),
        ('userName co "_"', "u3"),
        ('userName ew ".COM"', "u1"),
        ('userName ew "b"', "u2 u3 u4"),
        ('userName ew "example ann@example.com"', ""),
        ('userName gt "b_b"', "u2 u4"),
        ('userName le "b_b"', "u1 u3"),
        ('userName sw ""', EVERYONE),
        ('userName co "" and userName ew ""', EVERYONE),
        ('displayName eq "ÄNN"', "u1"),
        ('displayName ne "x"', EVERYONE),
        # exact ones
        ('externalId eq "X1"', "u1"),
        ('externalId sw "x"', "u2"),
        ('id eq "u2" or id eq "U3"', "u2"),
        # booleans
        ("active eq true", "u1"),
        ("active ne true", "u2 u3 u4"),
        ("not (active eq false)", "u1 u3 u4"),
        ('active eq "False"', "u2"),
        ("emails.primary eq true", "u1"),
        # texts in the document
        ('title eq "100%"', "u2"),
        ('title co "%"', "u2 u3"),
        ('title sw "100" and not (title ew " %")', "u2"),
        ('name.familyName eq "o\'hara"', "u1"),
        ('nickName eq "\\"; --"', "u3"),
        ("nickName pr", "u3"),
        ("not (nickName pr)", "u1 u2 u4"),
        ("name pr or roles pr", "u1 u2"),
        ('name[givenName eq "ann" and not (familyName sw "x")]', "u1"),
        ('name[not (givenName eq "x")]', "u1"),
        ('nickName ne "x"', EVERYONE),
        ("title eq null", "u1"),
        # many values
        ('emails eq "ANN@work.example"', "u1"),
        ('emails.value co "home"', "u1 u2"),
        ('emails ne "bob@home.example"', "u1 u3 u4"),
        ("emails.value pr", "u1 u2"),
        ("not (emails pr)", "u3 u4"),
        ('emails.type eq "WORK"', "u1"),
        ('emails[type eq "work" and value eq "ann@work.example"]', "u1"),
        ('emails[type eq "work" and value eq "ann@home.example"]', ""),
        ('emails[type eq "home"].value eq "ann@home.example"', "u1"),
        ('emails[not (type eq "work")]', "u1 u2"),
        ("emails[primary pr]", "u1"),
        ('addresses.locality sw "par"', "u1"),
        ('roles eq "admin"', "u2"),
        # extensions and what the server adds
        (f'{ENTERPRISE}:department eq "sales"', "u1"),
        ('manager.value eq "u2"', "u1"),
        (f'schemas eq "{ENTERPRISE}"', "u1"),
        (f'not (schemas[value eq "{ENTERPRISE}"])', "u2 u3 u4"),
        ("schemas pr and meta pr", EVERYONE),
        ('meta.resourceType eq "User"', EVERYONE),
        ('meta.created eq "2026-01-02T03:04:05.678Z"', EVERYONE),
        ('meta.created gt "2026-01-02T03:04:05.678Z"', ""),
        ('meta.lastModified gt "2026-01-02T05:04:05.678+02:00"', "u4"),
        ('meta.lastModified ge "2026-01-02" and meta.created sw "2026-01-02T03"', EVERYONE),
        ('meta.created ew ".678Z" and meta.created co "T03:04"', EVERYONE),
        ('meta[lastModified gt "2026-01-02T03:30:00Z"]', "u4"),
        ('meta.version eq "W/\\"2\\""', "u4"),
        ('meta.location eq "https://b/Users/u3"', "u3"),
        # groups of a user
        ('groups eq "g1"', "u1 u2"),
        ('groups.display eq "sales"', "u1 u2"),
        ('groups[value eq "g1" and type eq "direct"]', "u1 u2"),
        ('groups[value eq "g2" and type eq "direct"]', ""),
        ('groups[type eq "indirect" and display eq "all"]', "u1 u2"),
        ('groups[not (type eq "direct" or value eq "g9")]', "u1 u2"),
        ('groups.value eq "g2" and groups.type eq "INDIRECT"', "u1 u2"),
        ('groups.$ref ew "/Groups/g1"', "u1 u2"),
        ('groups ne "g1"', EVERYONE),
        ('not (groups eq "g1")', "u3 u4"),
        ("not (groups pr)", "u3 u4"),
        # all together
        ('(userName eq "bob" or title pr) and not (active pr)', "u3 u4"),
    ],
)
def test_users_are_found(cast: Journal, text: str, ids: str) -> None:
    assert find(cast, USER, text) == (len(ids.split()), ids)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('displayName eq "SALES"', "g1"),
        ('members eq "u1"', "g1"),
        ('members.value eq "g1" or members.value eq "u9"', "g2"),
        ('members[value eq "u1" and type eq "user"]', "g1"),
        ('members[value eq "u1" and type eq "Group"]', ""),
        ('members.display eq "änn"', "g1"),
        ('members.display sw "bo"', "g1"),
        ('members.$ref eq "https://b/Groups/g1"', "g2"),
        ('members.type ne "Group"', "g1"),
        ("members pr", "g1 g2"),
        ('not (members.value eq "u1")', "g2"),
    ],
)
def test_groups_are_found(cast: Journal, text: str, ids: str) -> None:
    assert find(cast, GROUP, text) == (len(ids.split()), ids)


@pytest.mark.parametrize(
    ("by", "ascending", "descending"),
    [
        ("userName", "u1 u3 u2 u4", "u4 u2 u3 u1"),
        ("title", "u3 u2 u4 u1", "u1 u4 u2 u3"),
        ("emails", "u1 u2 u3 u4", "u3 u4 u2 u1"),
        ("emails.type", "u1 u2 u3 u4", "u3 u4 u1 u2"),
        ("active", "u2 u1 u3 u4", "u3 u4 u1 u2"),
        ("name.givenName", "u1 u2 u3 u4", "u2 u3 u4 u1"),
        ("externalId", "u1 u2 u3 u4", "u3 u4 u2 u1"),
        ("meta.lastModified", "u1 u2 u3 u4", "u4 u1 u2 u3"),
        ("meta.created", "u1 u2 u3 u4", "u1 u2 u3 u4"),
        (f"{ENTERPRISE}:department", "u1 u2 u3 u4", "u2 u3 u4 u1"),
        ("id", "u1 u2 u3 u4", "u4 u3 u2 u1"),
    ],
)
def test_the_order_is_by_key_then_id_and_those_without_a_value_are_last(
    cast: Journal, by: str, ascending: str, descending: str
) -> None:
    target = USER.target(by)
    assert find(cast, USER, "", sort=target) == (4, ascending)
    assert find(cast, USER, "", sort=target, descending=True) == (4, descending)


@pytest.mark.parametrize("by", ["name", "groups", "groups.value", "schemas", "meta"])
def test_what_has_no_order_is_refused(cast: Journal, by: str) -> None:
    with pytest.raises(InvalidValue, match="cannot be sorted by"):
        find(cast, USER, "", sort=USER.target(by))


@pytest.mark.parametrize(
    ("start", "count", "ids"),
    [(0, 2, "u1 u2"), (2, 2, "u3 u4"), (3, 2, "u4"), (0, 4, EVERYONE), (4, 2, ""), (0, 0, "")],
)
def test_pages_follow_each_other_and_the_total_is_of_all(
    cast: Journal, start: int, count: int, ids: str
) -> None:
    assert find(cast, USER, "", start, count) == (4, ids)
    assert find(cast, USER, "userName pr", start, count) == (4, ids)


@pytest.mark.parametrize("by", [None, "userName", "title"])
@pytest.mark.parametrize(
    ("rtype", "text", "by_index"),
    [
        (USER, 'userName eq "a"', "name_key=?"),
        (USER, 'userName sw "a"', "name_key>? AND name_key<?"),
        (USER, 'externalId eq "a"', "external_id=?"),
        (USER, 'externalId eq "a" and active eq true', "external_id=?"),
        (USER, 'displayName eq "a"', "display_key=?"),
        (USER, 'meta.lastModified gt "2026-01-01"', "last_modified>?"),
        (USER, 'id eq "a"', "id=?"),
        (USER, 'emails.value eq "a"', "id=?"),
        (USER, 'emails[type eq "work" and value eq "a"]', "id=?"),
        (USER, 'emails eq "a" and title eq "x"', "id=?"),
        (USER, 'groups.value eq "a"', "id=?"),
        (GROUP, 'members.value eq "a"', "id=?"),
        (GROUP, 'members[value eq "a"]', "id=?"),
        (GROUP, 'displayName eq "a"', "name_key=?"),
    ],
)
def test_a_look_up_is_by_index_and_looks_at_nobody_else(
    embedded_cast: Journal, rtype: ResourceType, text: str, by_index: str, by: str | None
) -> None:
    def query(reader: Reader) -> None:
        node = bind(parse_filter(text), rtype)
        sort = rtype.target(by) if by else None
        queries.search(reader, rtype, ACME, node, start=0, count=10, sort=sort)

    steps = embedded_cast.read_now(lambda reader: scene.plan_of(reader, query))
    of_resources = [step for step in steps if "resource USING" in step]
    assert len(of_resources) >= 2, "one for the page, one for the total"
    assert all(step.startswith("SEARCH") and by_index in step for step in of_resources), steps
    others = [step for step in steps if "USING" in step and step not in of_resources]
    assert all(step.startswith(("SEARCH", "USE TEMP B-TREE")) for step in others), steps


def test_groups_that_contain_each_other_come_to_an_end(journal: Journal) -> None:
    scene.user(journal, "u1")
    scene.group(journal, "g1", "u1")
    scene.group(journal, "g2", "g1")
    scene.update(journal, GROUP, "g1", AddMembers(("g2",)))
    for group_id in ("g1", "g2"):
        assert find(journal, USER, f'groups eq "{group_id}"') == (1, "u1")
    assert find(journal, USER, 'groups[value eq "g1" and type eq "indirect"]') == (0, "")


def test_filters_of_one_shape_are_compiled_once(cast: Journal) -> None:
    queries._statements.cache_clear()
    for name in ("bob", "b_b", "nobody"):
        find(cast, USER, f'userName eq "{name}" and active eq true')
        find(cast, USER, f'emails[type eq "{name}" and value sw "{name}"]')
    assert queries._statements.cache_info().misses == 2
    find(cast, USER, 'userName eq "bob" and active eq false')
    assert queries._statements.cache_info().misses == 3
