"""Proven here: requests at the same time lose nothing and end in some serial order."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.dialects.served import Tenant, a_user


def at_once(count: int, work: Any) -> list[httpx.Response]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_20_parallel_patches_of_one_group_lose_no_member(idp: Tenant) -> None:
    ids = [idp.user(f"user{n}@example.com")["id"] for n in range(40)]
    group = idp.group("Sales", *ids[20:])
    path = f"/Groups/{group['id']}"

    def work(number: int) -> httpx.Response:
        return idp.patch(
            path,
            {"op": "add", "path": "members", "value": [{"value": ids[number]}]},
            {"op": "remove", "path": f'members[value eq "{ids[20 + number]}"]'},
        )

    assert {answer.status_code for answer in at_once(20, work)} == {200}
    assert idp.members(group["id"]) == set(ids[:20])
    assert idp.http.get(path).headers["etag"] == 'W/"21"'


def test_F15_one_name_is_created_once(idp: Tenant) -> None:
    answers = at_once(10, lambda _: idp.http.post("/Users", json=a_user()))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert idp.http.get("/Users").json()["totalResults"] == 1


def test_F16_of_two_writers_with_the_same_etag_one_wins(idp: Tenant) -> None:
    user = idp.user()
    headers = {"If-Match": user["meta"]["version"]}

    def work(number: int) -> httpx.Response:
        change = {"op": "replace", "path": "title", "value": str(number)}
        return idp.patch(f"/Users/{user['id']}", change, headers=headers)

    statuses = sorted(answer.status_code for answer in at_once(10, work))
    assert statuses == [200] + [412] * 9


def test_what_was_answered_is_read_back(idp: Tenant) -> None:
    """A client may read on another connection what it was told was written."""

    def work(number: int) -> httpx.Response:
        made = idp.http.post("/Users", json=a_user(f"user{number}@example.com"))
        return httpx.get(made.headers["location"], headers={"Authorization": f"Bearer {idp.token}"})

    assert {answer.status_code for answer in at_once(20, work)} == {200}
