"""Proven here: bad input gets the right SCIM error, and nothing of it is written."""

import gzip
import json
import socket
from collections.abc import Callable, Iterator
from statistics import mean
from urllib.parse import urlsplit

import httpx
import pytest

from bridge.auth.tokens import mint
from tests.dialects.served import GROUP, KEY, PATCH_OP, USER, Served, Tenant, a_user, refused

MEBIBYTE = 1 << 20


def text(document: object) -> bytes:
    return json.dumps(document).encode()


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


BODIES: dict[str, tuple[bytes, int, str | None]] = {
    "nothing": (b"", 400, "invalidSyntax"),
    "broken JSON": (b'{"schemas": [', 400, "invalidSyntax"),
    "a list": (b"[]", 400, "invalidSyntax"),
    "not UTF-8": (b'{"userName": "\xff"}', 400, "invalidSyntax"),
    "a duplicate key": (b'{"userName": "a", "userName": "b"}', 400, "invalidSyntax"),
    "a duplicate in another case": (b'{"userName": "a", "USERNAME": "b"}', 400, "invalidSyntax"),
    "100 levels": (nested(100), 400, "invalidSyntax"),
    "100,000 levels": (b"[" * 100_000, 400, "invalidSyntax"),
    "a NUL": (b'{"userName": "a\\u0000"}', 400, "invalidSyntax"),
    "no schemas": (text({"userName": "a"}), 400, "invalidSyntax"),
    "another type's schema": (text({"schemas": [GROUP], "userName": "a"}), 400, "invalidSyntax"),
    "no name": (text({"schemas": [USER]}), 400, "invalidValue"),
    "a wrong type": (text(a_user() | {"userName": True}), 400, "invalidValue"),
}


@pytest.mark.parametrize(("body", "status", "kind"), BODIES.values(), ids=BODIES.keys())
def test_a_bad_body_writes_nothing(idp: Tenant, body: bytes, status: int, kind: str | None) -> None:
    user = idp.user("before@example.com")
    before = idp.rows()
    path = f"/Users/{user['id']}"
    refused(idp.http.post("/Users", content=body), status, kind)
    refused(idp.http.put(path, content=body), status, kind)
    patch = idp.http.patch(path, content=body)
    assert patch.status_code == 400
    assert idp.rows() == before
    assert idp.http.get(path).json() == user


REQUESTS: dict[str, tuple[Callable[[httpx.Client], httpx.Response], int, str | None]] = {
    "an unknown id": (lambda http: http.put("/Users/nobody", json=a_user()), 404, None),
    "an id that is SQL": (lambda http: http.delete("/Users/' OR 1=1 --"), 404, None),
    "an id with a NUL": (lambda http: http.delete("/Users/%00"), 404, None),
    "another type's id": (
        lambda http: http.get(f"/Groups/{http.get('/Users').json()['Resources'][0]['id']}"),
        404,
        None,
    ),
    "an unknown member": (
        lambda http: http.post(
            "/Groups",
            json={"schemas": [GROUP], "displayName": "g", "members": [{"value": "nobody"}]},
        ),
        400,
        "invalidValue",
    ),
    "101 operations": (
        lambda http: http.patch(
            "/Users/x", json={"schemas": [PATCH_OP], "Operations": [{"op": "add"}] * 101}
        ),
        413,
        None,
    ),
    "a compressed body": (
        lambda http: http.post(
            "/Users", content=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}
        ),
        415,
        None,
    ),
    "a form": (lambda http: http.post("/Users", data={"userName": "x"}), 415, None),
    "a query that is not UTF-8": (lambda http: http.get("/Users?filter=%ff"), 400, "invalidValue"),
    "33 parameters": (lambda http: http.get("/Users?" + "a=1&" * 33), 400, "invalidValue"),
    "a filter twice": (lambda http: http.get("/Users?filter=a&filter=b"), 400, "invalidValue"),
}


@pytest.mark.parametrize(("send", "status", "kind"), REQUESTS.values(), ids=REQUESTS.keys())
def test_a_bad_request_writes_nothing(
    idp: Tenant,
    send: Callable[[httpx.Client], httpx.Response],
    status: int,
    kind: str | None,
) -> None:
    idp.user("before@example.com")
    before = idp.rows()
    refused(send(idp.http), status, kind)
    assert idp.rows() == before


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "non-token",
        "Bearer x",
        "Basic YTpi",
        pytest.param(f"Bearer {mint(KEY).text.reveal()}", id="unknown-token"),
    ],
)
def test_without_a_valid_token_nothing_is_written(idp: Tenant, header: str) -> None:
    user, before = idp.user(), idp.rows()
    headers = {"Authorization": header}
    path = f"/Users/{user['id']}"
    for answer in (
        idp.http.post("/Users", json=a_user("x"), headers=headers),
        idp.http.put(path, json=a_user("x"), headers=headers),
        idp.http.delete(path, headers=headers),
        idp.http.get("/Users", headers=headers),
        idp.http.get("/Users/nobody", headers=headers),
    ):
        assert refused(answer, 401) == refused(answer, 401)
        assert answer.headers["www-authenticate"]
    assert idp.rows() == before


def test_two_organizations_do_not_see_each_other(served: Served, idp: Tenant) -> None:
    theirs = idp.user("ann@example.com")
    group = idp.group("Sales", theirs["id"])
    before = idp.rows()
    with served.tenant() as other:
        for path in (f"/Users/{theirs['id']}", f"/Groups/{group['id']}"):
            body = a_user() if "Users" in path else {"schemas": [GROUP], "displayName": "x"}
            nobody = refused(other.http.get(path.replace(path[-4:], "none")), 404)
            for answer in (
                other.http.get(path),
                other.http.put(path, json=body),
                other.patch(path, {"op": "add", "path": "externalId", "value": "x"}),
                other.http.delete(path),
            ):
                assert refused(answer, 404)[:20] == nobody[:20]
        foreign = {"schemas": [GROUP], "displayName": "g", "members": [{"value": theirs["id"]}]}
        refused(other.http.post("/Groups", json=foreign), 400, "invalidValue")
        assert other.http.get("/Users").json()["totalResults"] == 0
        assert other.find("/Users", f'id eq "{theirs["id"]}"')["totalResults"] == 0
        assert other.user("ann@example.com")["id"] != theirs["id"]
    assert idp.rows() == before


# --- Size ---------------------------------------------------------------------------------------


def chunks(mebibytes: int) -> Iterator[bytes]:
    for _ in range(mebibytes):
        yield b" " * MEBIBYTE


def test_50_mebibytes_are_refused_and_the_connection_survives(idp: Tenant) -> None:
    before = idp.rows()
    for content in (b" " * 50 * MEBIBYTE, chunks(50)):
        detail = refused(idp.http.post("/Users", content=content), 413)
        assert "body_bytes" in detail
        assert idp.http.get("/Users").status_code == 200
    assert idp.rows() == before


def test_a_declared_size_is_refused_before_any_of_it_is_sent(idp: Tenant) -> None:
    address = urlsplit(idp.served.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(
            b"POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nContent-Length: 52428800\r\n"
            b"Content-Type: application/scim+json\r\nExpect: 100-continue\r\n"
            b"Authorization: Bearer " + idp.token.encode() + b"\r\n\r\n"
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_stops_half_way_writes_nothing(idp: Tenant) -> None:
    before = idp.rows()
    address = urlsplit(idp.served.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        body = text(a_user())
        connection.sendall(
            b"POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: " + idp.token.encode()
        )
        connection.sendall(b"\r\nContent-Length: %d\r\n\r\n%b" % (len(body) + 10, body))
    assert idp.http.get("/Users").json()["totalResults"] == 0
    assert idp.rows() == before


# --- Time ---------------------------------------------------------------------------------------


def test_D1_the_worst_filter_is_refused_in_10_ms(idp: Tenant) -> None:
    idp.user()
    for filter_ in ("(" * 2000 + ")" * 2000, 'a eq "x" or ' * 340, "not (" * 800, '"' * 4000):
        answers = [idp.http.get("/Users", params={"filter": filter_}) for _ in range(5)]
        assert {answer.status_code for answer in answers} == {400}
        assert min(answer.elapsed.total_seconds() for answer in answers) < 0.010


def test_S2_an_unknown_token_takes_as_long_as_a_wrong_secret(idp: Tenant) -> None:
    wrong = mint(KEY).text.reveal()
    known = f"{idp.token[:17]}{wrong[17:]}"  # its checksum is wrong as well, so make it right
    from bridge.auth import tokens

    bare = known[: -tokens.CHECKSUM_LENGTH]
    headers = [{"Authorization": bare + tokens._checksum(bare)}, {"Authorization": wrong}]
    spans: tuple[list[float], list[float]] = ([], [])
    for _ in range(600):
        for header, measured in zip(headers, spans, strict=True):
            answer = idp.http.get("/Users", headers=header)
            assert answer.status_code == 401
            measured.append(answer.elapsed.total_seconds())
    slow, fast = (mean(sorted(measured)[:60]) for measured in spans)
    assert abs(slow - fast) / max(slow, fast) < 0.08
