"""`GET /v1/events` tells what a webhook is sent: the same events, with the same ids."""

from typing import Any

from sqlalchemy import bindparam, select

from bridge.codec import CHANGE_COLUMNS, change_of
from bridge.core.events import events
from bridge.journal.statements import prepared
from bridge.journal.store import Reader
from bridge.journal.tables import change
from bridge.plugin import ChangeRecord
from tests.administered import Document, House, Tenant, done


def read(tenant: Tenant, after: str | None = None, **params: Any) -> Document:
    params |= {"after": after} if after else {}
    return done(tenant.admin.get("/events", params=params))


def test_what_happened_is_told_in_order(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    sales = tenant.group("sales", ann)
    tenant.activate(ann, active=False)
    page = read(tenant)
    told = [(one["type"], one["data"]["id"], one["data"]["version"]) for one in page["items"]]
    assert told == [("user.created", ann, 1), ("group.created", sales, 1), ("user.updated", ann, 2)]
    last = page["items"][-1]["data"]
    assert last["changed"] == ["active"]
    assert last["attributes"]["active"] is False
    assert page["more"] is False


def test_the_events_are_those_that_are_sent(house: House, tenant: Tenant) -> None:
    ann = tenant.user("ann")
    crm = tenant.workspace("crm")
    tenant.grant(crm, "edit", user=ann)
    tenant.access(crm)

    def stored(reader: Reader) -> list[ChangeRecord]:
        query = prepared(
            select(*(change.c[name] for name in CHANGE_COLUMNS))
            .where(change.c.organization == bindparam("organization"))
            .order_by(change.c.sequence)
        )
        return [change_of(row) for row in reader.rows(query, organization=tenant.id)]

    sent = [
        {"id": event.id, **event.envelope}
        for one in house.journal.read_now(stored)
        for event in events(one)
    ]
    told = read(tenant)["items"]
    assert told == sent
    assert [one["type"] for one in told] == ["user.created", "workspace.created", "access.granted"]


def test_pages_lead_on_from_where_they_end(tenant: Tenant) -> None:
    ids = [tenant.user(f"user{number}") for number in range(5)]
    first = read(tenant, limit=2)
    assert first["more"] is True
    second = read(tenant, first["next"], limit=10)
    assert [one["data"]["id"] for one in first["items"] + second["items"]] == ids
    nothing = read(tenant, second["next"])
    assert (nothing["items"], nothing["more"]) == ([], False)
    later = tenant.user("later")
    (one,) = read(tenant, nothing["next"])["items"]
    assert one["data"]["id"] == later


def test_other_organizations_are_told_nothing_of_it(house: House, tenant: Tenant) -> None:
    tenant.user("ann")
    with house.tenant() as other:
        assert read(other)["items"] == []
        far = read(tenant)["next"]
        assert read(other, far)["items"] == []
        asked = other.admin.get("/events", params={"organization": tenant.id})
        assert asked.status_code == 404


def test_a_cursor_that_is_none_is_refused(tenant: Tenant) -> None:
    for cursor in ("x", "W10", "WyJhIl0", "WzEsMl0"):
        answer = tenant.admin.get("/events", params={"after": cursor})
        assert answer.status_code == 400
        assert answer.json()["code"] == "BRG-CURSOR-INVALID"
    assert tenant.admin.get("/events", params={"limit": 1001}).status_code == 400


def test_a_password_is_never_told(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    tenant.patch(f"/Users/{ann}", {"op": "replace", "path": "password", "value": "c4n4ry-w0rd"})
    assert "c4n4ry-w0rd" not in tenant.admin.get("/events").text
