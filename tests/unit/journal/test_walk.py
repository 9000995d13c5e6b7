"""Walking by place: whatever the order, forward and back, everyone is met exactly once."""

import random
from typing import Any

import pytest

from bridge.core.filters import bind, parse_filter
from bridge.core.schema import USER
from bridge.journal import queries
from bridge.journal.embedded import EmbeddedJournal
from bridge.journal.queries import Place, Stretch
from bridge.journal.store import Journal, Reader
from tests.unit.journal import scene
from tests.unit.journal.scene import ACME

PEOPLE = 40


@pytest.fixture
def crowd(journal: Journal) -> Journal:
    chance = random.Random(7)
    for number in range(PEOPLE):
        attributes: dict[str, Any] = {"userName": f"user{chance.random()}"}
        if number % 3:
            attributes["title"] = chance.choice(["Lead", "lead", "Clerk", "ärztin"])
        if number % 4:
            attributes["active"] = chance.random() < 0.5
        if number % 5:
            attributes["emails"] = [{"value": f"{chance.randrange(9)}@example.com"}]
        scene.create(journal, USER, f"u{number:02}", attributes)
    return journal


def walk(journal: Journal, place: Place | None, count: int, **how: Any) -> Stretch:
    return journal.read_now(
        lambda reader: queries.walk(reader, USER, ACME, place=place, count=count, **how)
    )


def ids(stretch: Stretch) -> list[str]:
    return [resource.entity.id for resource in stretch.resources]


@pytest.mark.parametrize("by", [None, "userName", "title", "active", "emails", "meta.created"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("text", [None, 'userName sw "user"', "title pr or active eq true"])
def test_pages_by_place_are_those_by_number(
    crowd: Journal, by: str | None, descending: bool, text: str | None
) -> None:
    how: dict[str, Any] = {
        "filter": bind(parse_filter(text), USER) if text else None,
        "sort": USER.target(by) if by else None,
        "descending": descending,
    }
    whole = crowd.read_now(
        lambda reader: queries.search(reader, USER, ACME, start=0, count=99, **how)
    )
    expected = [resource.entity.id for resource in whole.resources]
    for count in (1, 7, PEOPLE):
        met: list[str] = []
        place, more = None, True
        while more:
            page = walk(crowd, place, count, **how)
            if place is not None:
                back = walk(crowd, page.places[0], count, backward=True, **how)
                assert ids(back) == met[-count:]
                assert back.more == (len(met) > count)
            met += ids(page)
            place, more = page.places[-1], page.more
        assert met == expected


def test_who_comes_and_goes_moves_nobody(crowd: Journal) -> None:
    first = walk(crowd, None, 10, filter=None, sort=USER.target("userName"))
    scene.delete(crowd, USER, ids(first)[-1])
    scene.create(crowd, USER, "new", {"userName": "a comes first"})
    rest = walk(crowd, first.places[-1], 99, filter=None, sort=USER.target("userName"))
    assert len(rest.resources) == PEOPLE - 10
    assert not set(ids(first)) & set(ids(rest))


@pytest.mark.parametrize("by", [None, "userName"])
@pytest.mark.parametrize("backward", [False, True])
def test_a_page_costs_itself_and_not_what_lies_before_it(
    crowd: Journal, by: str | None, backward: bool
) -> None:
    sort = USER.target(by) if by else None
    place = walk(crowd, None, 20, filter=None, sort=sort).places[-1]

    def query(reader: Reader) -> None:
        asked = (reader, USER, ACME, None)
        queries.walk(*asked, place=place, count=5, sort=sort, backward=backward)

    steps = crowd.read_now(lambda reader: scene.plan_of(reader, query))
    beyond = "name_key" if by else "id"
    if not isinstance(crowd, EmbeddedJournal):
        (step,) = (step for step in steps if "Index Cond" in step)
        assert f"{beyond} {'<' if backward else '>'} " in step, steps
        return
    (step,) = (step for step in steps if "TEMP" not in step or "RIGHT PART" not in step)
    assert step.startswith("SEARCH")
    assert f"{beyond}{'<' if backward else '>'}?" in step
