"""Pages by cursor (RFC 9865) over HTTP: complete, stable under writes, only for their asker."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.scim import ScimSettings
from tests.dialects.served import SEARCH_REQUEST, Document, Tenant, refused, serving

USERS = 1000


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """A tenant with a thousand users."""
    with serving(tmp_path_factory.mktemp("cursors")) as served, served.tenant() as tenant:
        for number in range(USERS):
            tenant.user(f"u{number:04}@example.com", title=f"title {number % 7}")
        yield tenant


def page(idp: Tenant, path: str = "/Users", **parameters: Any) -> Document:
    answer = idp.http.get(path, params={"cursor": "", **parameters})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def pages(idp: Tenant, path: str = "/Users", **parameters: Any) -> Iterator[Document]:
    """Every page, from the first to the last."""
    found: Document = {"nextCursor": ""}
    while "nextCursor" in found:
        found = page(idp, path, **parameters, cursor=found["nextCursor"])
        yield found


def names(found: Document) -> list[str]:
    return [resource["userName"] for resource in found["Resources"]]


@pytest.mark.parametrize("by", [{}, {"sortBy": "title", "sortOrder": "descending"}])
def test_a_thousand_users_page_by_page(crowded: Tenant, by: dict[str, str]) -> None:
    met: list[str] = []
    for found in pages(crowded, **by, count=150):
        assert found["totalResults"] == USERS
        assert found["itemsPerPage"] == len(found["Resources"]) == min(150, USERS - len(met))
        assert "startIndex" not in found
        assert re.fullmatch(r"[A-Za-z0-9._~-]*", found.get("nextCursor", ""))
        met += names(found)
    by_number = crowded.http.get("/Users", params={**by, "count": 1000}).json()
    assert met == names(by_number)


def test_back_to_the_first_page(crowded: Tenant) -> None:
    first, second, third, *_ = pages(crowded, count=300)
    assert "previousCursor" not in first
    back = page(crowded, count=300, cursor=third["previousCursor"])
    assert names(back) == names(second)
    start = page(crowded, count=300, cursor=back["previousCursor"])
    assert names(start) == names(first)
    assert "previousCursor" not in start
    assert names(page(crowded, count=300, cursor=start["nextCursor"])) == names(second)


def test_who_comes_and_goes_meanwhile_moves_nobody(crowded: Tenant) -> None:
    done = threading.Event()

    def come_and_go() -> None:
        number = 0
        while not done.is_set():
            user = crowded.user(f"guest{number}@example.com")
            crowded.http.delete(f"/Users/{user['id']}")
            number += 1

    writer = threading.Thread(target=come_and_go)
    writer.start()
    try:
        met = [name for found in pages(crowded, count=37) for name in names(found)]
    finally:
        done.set()
        writer.join()
    stayed = [name for name in met if not name.startswith("guest")]
    assert len(stayed) == len(set(stayed)) == USERS


def test_a_filter_and_search_by_body(crowded: Tenant) -> None:
    body = {
        "schemas": [SEARCH_REQUEST],
        "filter": 'title eq "title 3"',
        "attributes": ["userName"],
        "count": 100,
        "cursor": "",
    }
    met = []
    while True:
        found = crowded.http.post("/Users/.search", json=body).json()
        met += names(found)
        if "nextCursor" not in found:
            break
        body["cursor"] = found["nextCursor"]
    assert len(met) == found["totalResults"] == len(range(3, USERS, 7))


def test_over_all_types_at_the_root(idp: Tenant) -> None:
    people = [idp.user(f"u{n}@example.com")["id"] for n in range(5)]
    groups = [idp.group(f"group {n}")["id"] for n in range(5)]
    for count in (2, 5, 10, 100):
        found = list(pages(idp, "/", count=count))
        assert [f["totalResults"] for f in found] == [10] * len(found)
        assert [r["id"] for f in found for r in f["Resources"]] == [
            *sorted(people),
            *sorted(groups),
        ]
    only_groups = list(pages(idp, "/", count=3, filter='displayName co "group"'))
    assert [f["itemsPerPage"] for f in only_groups] == [3, 2]


def test_an_empty_collection_is_one_page(idp: Tenant) -> None:
    found = page(idp)
    assert (found["totalResults"], found["Resources"]) == (0, [])
    assert not {"nextCursor", "previousCursor"} & found.keys()


@pytest.mark.parametrize(
    "cursor", ["x", "MQ", "gAAAAA", "ä", "0" * 300, "=", "%00", "a b", "null", "-1"]
)
def test_what_is_no_cursor_is_refused(idp: Tenant, cursor: str) -> None:
    refused(idp.http.get("/Users", params={"cursor": cursor}), 400, "invalidCursor")


def test_a_cursor_serves_its_own_question_only(crowded: Tenant, idp: Tenant) -> None:
    cursor = page(crowded, count=10)["nextCursor"]
    for other in ({"filter": "title pr"}, {"sortBy": "title"}, {"sortOrder": "descending"}):
        answer = crowded.http.get("/Users", params={"cursor": cursor, **other})
        refused(answer, 400, "invalidCursor")
    refused(crowded.http.get("/Groups", params={"cursor": cursor}), 400, "invalidCursor")
    refused(idp.http.get("/Users", params={"cursor": cursor}), 400, "invalidCursor")
    changed = cursor[:-8] + ("A" if cursor[-8] != "A" else "B") + cursor[-7:]
    refused(crowded.http.get("/Users", params={"cursor": changed}), 400, "invalidCursor")
    assert crowded.http.get("/Users", params={"cursor": cursor, "count": 20}).status_code == 200


@pytest.mark.parametrize("count", [0, -1, 1001, "many"])
def test_count_is_in_its_range(idp: Tenant, count: Any) -> None:
    refused(idp.http.get("/Users", params={"cursor": "", "count": count}), 400, "invalidCount")


def test_a_cursor_expires(tmp_path: Path) -> None:
    settings = ScimSettings(cursor_seconds=1)
    with serving(tmp_path, settings=settings) as served, served.tenant() as idp:
        idp.user("a")
        idp.user("b")
        config = idp.http.get("/ServiceProviderConfig").json()
        assert config["pagination"]["cursorTimeout"] == 1
        cursor = page(idp, count=1)["nextCursor"]
        assert page(idp, count=1, cursor=cursor)["itemsPerPage"] == 1
        time.sleep(2.1)
        answer = idp.http.get("/Users", params={"cursor": cursor})
        refused(answer, 400, "expiredCursor")


def test_it_is_announced(idp: Tenant) -> None:
    assert idp.http.get("/ServiceProviderConfig").json()["pagination"] == {
        "cursor": True,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": 100,
        "maxPageSize": 1000,
        "cursorTimeout": 86400,
    }
