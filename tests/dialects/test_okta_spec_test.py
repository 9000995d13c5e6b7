"""Okta's SCIM 2.0 SPEC test, re-stated: 12 requests in its order, its 52 assertions counted."""

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from tests.dialects.served import ERROR, LIST_RESPONSE, USER, Tenant

ASSERTIONS = 52


class Counted:
    """Counts what it checks, so that a check left out is noticed."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, holds: object, what: str) -> None:
        assert holds, what
        self.done += 1

    def status(self, answer: httpx.Response, wanted: int) -> Any:
        self(answer.status_code == wanted, f"{answer.status_code}: {answer.text}")
        return answer.json()


def number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def shown(check: Counted, user: Any) -> None:
    """The six attributes that every user must show."""
    for name, value in {
        "id": user["id"],
        "name.familyName": user["name"]["familyName"],
        "name.givenName": user["name"]["givenName"],
        "userName": user["userName"],
        "active": user["active"] is not None,
        "emails[0].value": user["emails"][0]["value"],
    }.items():
        check(value, name)


def a_list(check: Counted, page: Any) -> None:
    check(LIST_RESPONSE in page["schemas"], "ListResponse")


def quick(check: Counted, answer: httpx.Response) -> None:
    check.status(answer, 200)
    check(answer.elapsed.total_seconds() < 0.6, "under 600 ms")


def asked(idp: Tenant, headers: dict[str, str], path: str, **query: Any) -> httpx.Response:
    return idp.http.get(path, params=query, headers=headers)


Get = Callable[..., httpx.Response]


def reads(check: Counted, get: Get) -> None:
    page = check.status(get("/Users", count=1, startIndex=1), 200)  # 1
    check(page["Resources"], "Resources")
    a_list(check, page)
    for counter in ("itemsPerPage", "startIndex", "totalResults"):
        check(number(page[counter]), counter)
    shown(check, page["Resources"][0])
    first = page["Resources"][0]["id"]

    user = check.status(get(f"/Users/{first}"), 200)  # 2
    shown(check, user)
    check(user["id"] == first, "the id that was asked for")

    page = check.status(get("/Users", filter='userName eq "abcdefgh@atko.com"'), 200)  # 3
    a_list(check, page)
    check(page["totalResults"] == 0, "totalResults")

    error = check.status(get("/Users/010101001010101011001010101011"), 404)  # 4
    check(error["detail"], "detail")
    check(ERROR in error["schemas"], "Error")


def creates(check: Counted, get: Get, post: Get) -> None:
    name, given, family = "Runscope321Abc@atko.com", "Runscope", "Abc"
    page = check.status(get("/Users", filter=f'userName eq "{name}"'), 200)  # 5
    check(page["totalResults"] == 0, "totalResults")
    a_list(check, page)

    body = {
        "schemas": [USER],
        "userName": name,
        "name": {"givenName": given, "familyName": family},
        "emails": [{"primary": True, "value": name, "type": "work"}],
        "displayName": f"{given} {family}",
        "active": True,
    }
    user = check.status(post("/Users", json=body), 201)  # 6
    check(user["active"] is True, "active")
    check(user["id"], "id")
    check(user["name"]["familyName"] == family, "familyName")
    check(user["name"]["givenName"] == given, "givenName")
    check(USER in user["schemas"], "User")
    check(user["userName"] == name, "userName, its case kept")

    again = check.status(get(f"/Users/{user['id']}"), 200)  # 7
    check(again["userName"] == name, "userName")
    check(again["name"]["familyName"] == family, "familyName")
    check(again["name"]["givenName"] == given, "givenName")

    check.status(post("/Users", json=body), 409)  # 8

    check.status(get("/Users", filter=f'userName eq "{name.upper()}"'), 200)  # 9


def refuses(check: Counted, get: Get, idp: Tenant) -> None:
    quick(check, get("/Groups"))  # 10

    stranger = idp.http.get("/Groups", headers={"Authorization": "non-token"})
    error = check.status(stranger, 401)  # 11
    check(error["detail"], "detail")
    check(error["status"] == "401", "status")
    check(ERROR in error["schemas"], "Error")

    error = check.status(get("/Users/00919288221112222"), 404)  # 12
    check(error["detail"], "detail")
    check(error["status"] == "404", "status")
    check(ERROR in error["schemas"], "Error")


def test_okta_spec_test_12_requests_52_assertions(idp: Tenant) -> None:
    idp.user(
        "existing@example.com",
        name={"givenName": "Ed", "familyName": "Xisting"},
        emails=[{"value": "existing@example.com", "primary": True}],
        active=True,
    )
    check = Counted()
    accept = {"Accept": "application/scim+json; charset=utf-8"}
    get = partial(asked, idp, accept)
    post = partial(idp.http.post, headers=accept | {"Content-Type": "application/json"})
    reads(check, get)
    creates(check, get, post)
    refuses(check, get, idp)
    assert check.done == ASSERTIONS
