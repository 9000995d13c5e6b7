"""Proven here: what would take long, or could never be read again, is refused by a named limit."""

from functools import partial

import pytest

from bridge.core.errors import PayloadTooLarge
from bridge.core.filters import bind, parse_filter
from bridge.core.members import MemberEdit, RemoveMatching, ReplaceMembers
from bridge.core.schema import GROUP, USER
from bridge.journal import members, membership, record
from bridge.journal.queries import SearchResult, search
from bridge.journal.store import Journal, Reader
from tests.unit.journal import scene


def test_a_filter_is_compared_with_so_many_members(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "MATCHES_LIMIT", 6)
    for id_ in ("u1", "u2", "u3"):
        scene.user(journal, id_)
    scene.group(journal, "g1", "u1", "u2", "u3")
    counted = scene.written(journal)
    with pytest.raises(PayloadTooLarge, match="limit of 6 comparisons"):
        scene.update(journal, GROUP, "g1", RemoveMatching(lambda m: m.id == "u1", terms=3))
    assert scene.written(journal) == counted
    scene.update(journal, GROUP, "g1", RemoveMatching(lambda m: m.id == "u1", terms=2))
    assert scene.member_ids(journal, "g1") == ["u2", "u3"]


def test_all_members_are_read_once_however_often_they_are_needed(journal: Journal) -> None:
    for id_ in ("u1", "u2", "u3"):
        scene.user(journal, id_)
    scene.group(journal, "g1", "u1", "u2")
    edits: list[MemberEdit] = [
        ReplaceMembers(("u3",)),
        RemoveMatching(lambda m: m.id == "u3"),
        ReplaceMembers(("u2", "u3")),
        RemoveMatching(lambda m: m.id == "u2"),
    ]
    assert scene.update(journal, GROUP, "g1", *edits).version == 2
    assert scene.member_ids(journal, "g1") == ["u3"]
    delta = scene.changes(journal, "g1")[1].members
    assert [m.id for m in delta.added] == ["u3"]
    assert sorted(m.id for m in delta.removed) == ["u1", "u2"]


def test_a_resource_has_a_largest_size(journal: Journal) -> None:
    scene.user(journal, "u1")
    counted = scene.written(journal)
    much = "x" * record.DOCUMENT_LIMIT_BYTES
    with pytest.raises(PayloadTooLarge, match=str(record.DOCUMENT_LIMIT_BYTES)):
        scene.update(journal, USER, "u1", title=much)
    with pytest.raises(PayloadTooLarge):
        scene.create(journal, USER, "u2", {"userName": "u2", "title": much})
    assert scene.written(journal) == counted
    assert scene.update(journal, USER, "u1", title=much[:-200]).version == 2


def test_ids_in_a_list_are_found_by_the_key(journal: Journal) -> None:
    """One member more costs the same however many resources there are."""

    def by_id(reader: Reader) -> object:
        return reader.rows(membership._CANDIDATES, organization="o", ids=["u1", "u2"])

    def members_by_id(reader: Reader) -> object:
        return members.some_of(reader, "o", "g", ["u1", "u2"])

    for query in (by_id, members_by_id):
        plan = journal.read_now(partial(scene.plan_of, query=query))
        assert any("id=?" in step or "Index Cond" in step for step in plan), plan


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "u1" or externalId eq "x2"',
        'userName eq "u1" or emails.value eq "u2@example.com" or id eq "u3"',
        'emails[type eq "work" and value eq "u2@example.com"] or userName sw "u1"',
        'active eq true and (userName eq "u1" or externalId eq "x2")',
    ],
)
def test_either_of_several_indexed_values_is_found_by_indexes(journal: Journal, text: str) -> None:
    for name in ("u1", "u2", "u3", "u4"):
        address = {"value": f"{name}@example.com", "type": "work"}
        more = {"externalId": f"x{name[1]}", "active": True, "emails": [address]}
        scene.create(journal, USER, name, {"userName": name, **more})
    node = bind(parse_filter(text), USER)

    def query(reader: Reader) -> SearchResult:
        return search(reader, USER, scene.ACME, node, start=0, count=10)

    wanted = [each for each in ("u1", "u2", "u3") if f'"{each}' in text or f'"x{each[1]}' in text]
    assert [r.entity.id for r in journal.read_now(query).resources] == wanted
    plan = journal.read_now(partial(scene.plan_of, query=query))
    looked = [step for step in plan if step.startswith("SEARCH resource USING")]
    assert all(step.count("=?") > 2 or "id=?" in step or ">?" in step for step in looked), plan
