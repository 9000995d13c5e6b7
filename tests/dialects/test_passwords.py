"""O-16 and O-28 where a backend takes passwords, and where none does: over real HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bridge.journal import backends, passwords, tables
from bridge.journal.statements import prepared
from bridge.journal.store import Transaction
from tests.dialects.served import KEY, Tenant, a_user, created, serving

SENT = "1mz050nq-canary"
KEPT = prepared(select(tables.password.c.entity, tables.password.c.version))

PASSWORD_ONLY: list[dict[str, Any]] = [
    {"op": "replace", "value": {"password": SENT}},
    {"op": "Replace", "path": "password", "value": SENT},
    {"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:password", "value": SENT},
]


@pytest.fixture(scope="module")
def taking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """A connection to a bridge with a backend that takes passwords, and delivers nothing now."""

    def take(tx: Transaction) -> None:
        backends.add(tx, "corp", "ldap")
        passwords.set_takers(tx, {"corp": True})

    with serving(tmp_path_factory.mktemp("taking")) as served:
        served.journal.write_now(take)
        with served.tenant() as tenant:
            yield tenant


def kept(tenant: Tenant) -> dict[str, int]:
    return dict(tenant.served.journal.read_now(lambda reader: reader.rows(KEPT)))


@pytest.mark.parametrize("operation", PASSWORD_ONLY, ids=["no path", "path", "URN"])
def test_O_28_a_password_alone_changes_nothing_where_nobody_takes_it(
    idp: Tenant, operation: dict[str, Any]
) -> None:
    before = idp.http.get(f"/Users/{idp.user()['id']}")
    counted = idp.rows()
    answer = idp.patch(f"/Users/{before.json()['id']}", operation)
    assert (answer.status_code, answer.json()) == (200, before.json())
    assert answer.headers["etag"] == before.headers["etag"]
    assert idp.rows() == counted
    assert kept(idp) == {}


@pytest.mark.parametrize("operation", PASSWORD_ONLY, ids=["no path", "path", "URN"])
def test_O_28_a_password_alone_is_a_version_where_somebody_takes_it(
    taking: Tenant, operation: dict[str, Any]
) -> None:
    user = taking.user(f"{PASSWORD_ONLY.index(operation)}@example.com")
    answer = taking.patch(f"/Users/{user['id']}", operation)
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert SENT not in answer.text
    assert kept(taking)[user["id"]] == 2
    cleared = taking.patch(f"/Users/{user['id']}", {"op": "remove", "path": "password"})
    assert (cleared.status_code, cleared.headers["etag"]) == (200, 'W/"2"')


def test_O_16_a_password_that_waits_is_sealed_and_never_shown(taking: Tenant) -> None:
    body = a_user("bob@example.com", password=SENT)
    made = taking.http.post("/Users", json=body)
    id_ = created(made)["id"]
    put = taking.http.put(f"/Users/{id_}", json=body)
    again = taking.http.put(f"/Users/{id_}", json=a_user("bob@example.com"))
    assert kept(taking)[id_] == 2, "a PUT without a password keeps the one that waits"
    assert [one.headers["etag"] for one in (made, put, again)] == ['W/"1"', 'W/"2"', 'W/"2"']
    read = taking.http.get(f"/Users/{id_}?attributes=password,userName")
    for answer in (made, put, again, read, taking.http.get("/Users")):
        assert SENT not in answer.text
        assert "password" not in answer.text
    written = taking.served.journal_bytes()
    assert SENT.encode() not in written
    assert KEY.reveal().encode() not in written


@pytest.mark.parametrize("wrong", [[SENT], {"value": SENT}, True])
def test_O_16_a_password_that_is_no_text_is_refused_and_not_repeated(
    idp: Tenant, wrong: object
) -> None:
    answer = idp.http.post("/Users", json=a_user(password=wrong))
    assert answer.status_code == 400
    assert SENT not in answer.text
