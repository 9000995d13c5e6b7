"""Okta, headers to connector test (O-1 to O-11): what it sends before it provisions anyone."""

import time

import httpx
import pytest

from bridge.auth.tokens import mint
from tests.dialects.served import (
    ERROR,
    KEY,
    LIST_RESPONSE,
    PATCH_OP,
    Served,
    Tenant,
    a_user,
    refused,
)

MEDIA_TYPES = [
    "application/scim+json",
    "application/scim+json; charset=utf-8",
    "application/scim+json;charset=UTF-8",
    "application/json",
    "application/json; charset=utf-8",
]


@pytest.mark.parametrize("content_type", [*MEDIA_TYPES, None])
def test_O_1_every_write_takes_both_media_types(idp: Tenant, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    body = httpx.Request("POST", "/", json=a_user()).content
    made = idp.http.post("/Users", content=body, headers=headers)
    assert made.status_code == 201
    path = f"/Users/{made.json()['id']}"
    assert idp.http.put(path, content=body, headers=headers).status_code == 200
    change = {"schemas": [PATCH_OP], "Operations": [{"op": "add", "value": {"title": "x"}}]}
    patch = httpx.Request("PATCH", "/", json=change).content
    assert idp.http.patch(path, content=patch, headers=headers).status_code == 200


@pytest.mark.parametrize("accept", [*MEDIA_TYPES, "*/*", "text/html", ""])
def test_O_1_accept_never_gives_406(idp: Tenant, accept: str) -> None:
    answer = idp.http.get("/Users", headers={"Accept": accept})
    assert answer.status_code == 200
    wanted = (
        "application/json" if accept.startswith("application/json") else "application/scim+json"
    )
    assert answer.headers["content-type"] == wanted


def test_O_2_a_long_base_url_is_no_trouble(idp: Tenant) -> None:
    made = idp.user()
    assert made["meta"]["location"] == f"{idp.served.url}/Users/{made['id']}"


@pytest.mark.parametrize("value", ["Bearer {}", "bearer {}", "{}"])
def test_O_3_bearer_or_bare_token(idp: Tenant, value: str) -> None:
    headers = {"Authorization": value.format(idp.token)}
    assert httpx.get(f"{idp.served.url}/Users", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        "non-token",
        "",
        "Bearer",
        "Bearer x",
        "Basic dXNlcjpwYXNz",
        pytest.param(mint(KEY).text.reveal(), id="unknown-token"),
    ],
)
def test_O_4_a_401_is_a_scim_error(served: Served, value: str) -> None:
    answer = httpx.get(f"{served.url}/Users", headers={"Authorization": value})
    refused(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_O_5_groups_answer_within_600_ms(idp: Tenant) -> None:
    ids = [idp.user(f"user{n}@example.com")["id"] for n in range(50)]
    for n in range(20):
        idp.group(f"group {n}", *ids)
    began = time.perf_counter()
    assert idp.http.get("/Groups").json()["totalResults"] == 20
    assert time.perf_counter() - began < 0.6


def test_O_7_every_2xx_has_a_body_that_is_json_or_none(idp: Tenant) -> None:
    user = idp.user()
    path = f"/Users/{user['id']}"
    for answer in (
        idp.http.post("/Users", json=a_user("ben@example.com")),
        idp.http.get(path),
        idp.http.put(path, json=a_user()),
        idp.patch(path, {"op": "replace", "value": {"active": False}}),
        idp.http.get("/Users"),
    ):
        assert answer.is_success
        assert answer.json()
    gone = idp.http.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")


def test_O_8_details_are_for_people(idp: Tenant) -> None:
    idp.user("ann@example.com")
    detail = refused(idp.http.post("/Users", json=a_user("Ann@Example.com")), 409, "uniqueness")
    assert "Ann@Example.com" in detail


def test_O_9_the_connector_test_on_an_empty_directory(idp: Tenant) -> None:
    for path, count in (("/Users", 2), ("/Groups", 100)):
        answer = idp.http.get(path, params={"startIndex": 1, "count": count})
        assert answer.status_code == 200
        assert answer.json() == {
            "schemas": [LIST_RESPONSE],
            "totalResults": 0,
            "startIndex": 1,
            "itemsPerPage": 0,
            "Resources": [],
        }


def test_O_10_counts_are_integers(idp: Tenant) -> None:
    idp.user()
    page = idp.http.get("/Users?startIndex=1&count=2").json()
    numbers = [page[name] for name in ("totalResults", "startIndex", "itemsPerPage")]
    assert [(type(number), number) for number in numbers] == [(int, 1), (int, 1), (int, 1)]


def test_O_11_the_order_is_stable(idp: Tenant) -> None:
    names = [f"user{number}@example.com" for number in (5, 3, 9, 1, 7)]
    for name in names:
        idp.user(name)

    def seen(size: int) -> list[str]:
        found: list[str] = []
        while len(found) < len(names):
            page = idp.http.get(f"/Users?startIndex={len(found) + 1}&count={size}").json()
            found += [user["userName"] for user in page["Resources"]]
        return found

    assert seen(1) == seen(2) == seen(100)
    assert sorted(seen(1)) == sorted(names)


def test_unknown_addresses_answer_in_scim(served: Served) -> None:
    origin = served.url.removesuffix("/scim/v2")
    for path in ("/scim/v2/Nope", "/scim/v3/Users", "/scim", "/scim/v2/Users/1/2", "/scimX"):
        answer = httpx.get(origin + path)
        assert answer.status_code == 404
        assert answer.json()["schemas"] == [ERROR]
