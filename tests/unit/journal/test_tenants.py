"""Organizations, connections, tokens and the audit rows that tell of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bridge.codec import decode, to_micros
from bridge.core.errors import OperatorError
from bridge.journal import tenants
from bridge.journal.store import Journal, Transaction
from tests.unit.journal import scene
from tests.unit.journal.scene import ACME, AT, CAUSE, LATER

OTHER = "other"


@pytest.fixture
def acme(journal: Journal) -> Journal:
    """Two organizations, each with a connection of the same name and a token."""

    def unit(tx: Transaction) -> None:
        for place in (ACME, OTHER):
            tenants.create_organization(tx, place, place.title(), CAUSE)
            made = tenants.create_connection(tx, place, f"c-{place}", "Okta", "okta", CAUSE)
            tenants.create_token(tx, made, f"t-{place}", "digest", CAUSE, expires=99)

    journal.write_now(unit)
    return journal


def test_what_was_written_is_found_again(acme: Journal) -> None:
    created = to_micros(AT)
    organization = tenants.Organization(ACME, "Acme", created)
    connection = tenants.Connection(ACME, "c-acme", "Okta", "okta", created)
    token = tenants.Token("t-acme", ACME, "c-acme", "okta", "digest", created, 99, None, None)
    for found, expected in (
        (lambda r: tenants.find_organization(r, "Acme"), organization),
        (lambda r: tenants.find_organization(r, "acme"), None),
        (lambda r: [o.id for o in tenants.list_organizations(r)], [ACME, OTHER]),
        (lambda r: tenants.find_connection(r, ACME, "Okta"), connection),
        (lambda r: tenants.find_connection(r, "nowhere", "Okta"), None),
        (lambda r: tenants.list_connections(r, ACME), [connection]),
        (lambda r: tenants.find_token(r, "t-acme"), token),
        (lambda r: tenants.find_token(r, "nothing"), None),
        (lambda r: tenants.list_tokens(r, ACME), [token]),
    ):
        assert acme.read_now(found) == expected


@pytest.mark.parametrize(
    ("create", "code"),
    [
        (
            lambda tx: tenants.create_organization(tx, "new", "Acme", CAUSE),
            "BRG-ORGANIZATION-EXISTS",
        ),
        (
            lambda tx: tenants.create_connection(tx, ACME, "new", "Okta", "entra", CAUSE),
            "BRG-CONNECTION-EXISTS",
        ),
    ],
)
def test_a_taken_name_is_refused_and_nothing_written(
    acme: Journal, create: Callable[[Transaction], Any], code: str
) -> None:
    counted = scene.written(acme)
    with pytest.raises(OperatorError) as refused:
        acme.write_now(create)
    assert refused.value.code == code
    assert scene.written(acme) == counted


def test_a_token_is_revoked_once_and_only_by_its_own_organization(acme: Journal) -> None:
    assert not acme.write_now(lambda tx: tenants.revoke_token(tx, OTHER, "t-acme", LATER))
    assert acme.write_now(lambda tx: tenants.revoke_token(tx, ACME, "t-acme", LATER))
    revoked = {row["id"]: row["revoked"] for row in scene.rows(acme, "token")}
    assert revoked["t-other"] is None
    assert revoked["t-acme"] is not None
    assert acme.write_now(lambda tx: tenants.revoke_token(tx, ACME, "t-acme", LATER))
    assert {r["id"]: r["revoked"] for r in scene.rows(acme, "token")} == revoked, "the first time"


def test_the_use_of_a_token_is_noted(acme: Journal) -> None:
    acme.write_now(lambda tx: tenants.note_use(tx, "t-acme"))
    token = acme.read_now(lambda r: tenants.find_token(r, "t-acme"))
    assert token is not None
    assert token.last_used is not None


def test_everything_leaves_an_audit_row_of_its_own_organization(acme: Journal) -> None:
    acme.write_now(lambda tx: tenants.revoke_token(tx, ACME, "t-acme", LATER))
    rows = acme.read_now(lambda r: tenants.list_audit(r, ACME))
    assert [(row.action, row.target, decode(row.detail)) for row in rows] == [
        ("token.revoke", "token/t-acme", {}),
        ("token.create", "token/t-acme", {"connection": "Okta"}),
        ("connection.create", "connection/c-acme", {"name": "Okta", "profile": "okta"}),
        ("organization.create", "organization/acme", {"name": "Acme"}),
    ]
    assert {row.organization for row in rows} == {ACME}
    since = to_micros(AT + timedelta(seconds=1))
    newest = acme.read_now(lambda r: tenants.list_audit(r, ACME, since=since))
    assert [(row.action, row.actor, row.request_id) for row in newest] == [
        ("token.revoke", LATER.actor, LATER.request_id)
    ]
    assert len(acme.read_now(lambda r: tenants.list_audit(r, ACME, count=2))) == 2
