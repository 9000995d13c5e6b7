"""Organization x endpoint x verb: nothing of another one is readable, changeable or told apart."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.administered import House, Tenant, done, refused

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/organizations/{organization_id}"): {"name": "Mine now"},
    ("PATCH", "/workspaces/{target_id}"): {"name": "Mine now"},
    ("PATCH", "/folders/{target_id}"): {"name": "Mine now"},
    ("POST", "/workspaces/{target_id}/join"): {"user": "ann@example.com"},
    ("POST", "/folders/{target_id}/join"): {"user": "ann@example.com"},
    ("PATCH", "/grants/{grant_id}"): {"level": "edit"},
    ("POST", "/deliveries/{resource_id}/retry"): {"backend": "people"},
    ("POST", "/deliveries/{resource_id}/skip"): {"backend": "people"},
    ("POST", "/deliveries/{resource_id}/replay"): {"backend": "people", "version": 1},
}
OF_EVERYBODY = ("/backends/{name}",)
"""Backends are the installation's, and seen by all."""


@pytest.fixture(scope="module")
def paths(house: House) -> list[tuple[str, str]]:
    """Every operation that has something in its path, as the API describes itself."""
    with house.installation() as root:
        described = done(root.get("/schema"))["paths"]
    found = [
        (verb.upper(), path.removeprefix("/v1"))
        for path, operations in described.items()
        for verb in operations
        if "{" in path and not path.removeprefix("/v1").startswith(OF_EVERYBODY)
    ]
    assert len(found) > 20
    return found


def belongings(tenant: Tenant) -> dict[str, str]:
    """Make one of everything; return what a path parameter may be, by parameter or path."""
    ann = tenant.user("ann")
    workspace = tenant.workspace("Sales")
    folder = tenant.folder(workspace, "Deals", access="invite_only")
    grant = tenant.grant(workspace, "view", group=tenant.group("Sales", ann))
    tokens = done(tenant.admin.get("/tokens"))["items"]
    admin_tokens = done(tenant.admin.get("/admin_tokens"))["items"]
    tenant.access(workspace)
    return {
        "organization_id": tenant.id,
        "/workspaces": workspace,
        "/folders": folder,
        "/tokens": tokens[0]["id"],
        "/admin_tokens": admin_tokens[0]["id"],
        "grant_id": grant,
        "resource_id": ann,
        "user": ann,
    }


def filled(path: str, ids: dict[str, str]) -> str:
    """Return the path with these ids in it."""
    start = "/" + path.split("/")[1]
    parts = []
    for part in path.split("/"):
        name = part.removeprefix("{").removesuffix("}")
        parts.append(ids.get(name) or ids[start] if part.startswith("{") else part)
    return "/".join(parts)


def state(tenant: Tenant) -> list[Any]:
    """Everything that could have been changed from outside."""
    lists = ("/workspaces", "/grants", "/connections", "/users", "/groups")
    tokens = [
        [(one["id"], one["revoked"]) for one in done(tenant.admin.get(path))["items"]]
        for path in ("/tokens", "/admin_tokens")
    ]
    workspaces = done(tenant.admin.get("/workspaces"))["items"]
    access = [tenant.access(one["id"]) for one in workspaces]
    return [*(done(tenant.admin.get(path))["items"] for path in lists), tokens, access]


def said(answer: httpx.Response, *hidden: str) -> tuple[int, str]:
    """The answer, without what was asked for."""
    text = answer.text
    for one in hidden:
        text = text.replace(one, "ID")
    return answer.status_code, text


def test_another_organizations_things_are_as_if_they_were_not(
    house: House, paths: list[tuple[str, str]]
) -> None:
    with house.tenant() as theirs, house.tenant() as mine:
        theirs_ids = belongings(theirs)
        belongings(mine)
        before = state(theirs)
        nothing = {name: str(uuid4()) for name in theirs_ids}
        for verb, path in paths:
            body = BODIES.get((verb, path))
            answers = [
                said(
                    mine.admin.request(verb, filled(path, ids), json=body, params=QUERY.get(path)),
                    *ids.values(),
                )
                for ids in (theirs_ids, nothing)
            ]
            assert answers[0] == answers[1], (verb, path)
            assert answers[0][0] == (200 if path in EMPTY else 404), (verb, path, answers[0])
        assert state(theirs) == before


QUERY = {"/deliveries/{resource_id}/attempts": {"backend": "people"}}
EMPTY = ("/deliveries/{resource_id}/attempts",)
"""Lists that are empty for whatever is not there."""


def test_another_organizations_things_cannot_be_named_in_bodies_and_questions(
    house: House,
) -> None:
    with house.tenant() as theirs, house.tenant() as mine:
        their, own = belongings(theirs), belongings(mine)
        group = done(theirs.admin.get("/groups"))["items"][0]["id"]
        connection = done(theirs.admin.get("/connections"))["items"][0]["id"]
        before = state(theirs)
        for path, body in (
            ("/folders", {"workspace": their["/workspaces"], "name": "X"}),
            (
                "/folders",
                {"workspace": own["/workspaces"], "name": "X", "parent": their["/folders"]},
            ),
            ("/grants", {"target": their["/workspaces"], "level": "edit", "user": own["user"]}),
            ("/grants", {"target": own["/folders"], "level": "edit", "user": their["user"]}),
            ("/grants", {"target": own["/folders"], "level": "edit", "group": group}),
            ("/tokens", {"connection": connection}),
            ("/admin_tokens", {"name": "x", "role": "admin", "organization": theirs.id}),
        ):
            assert mine.admin.post(path, json=body).status_code == 404, path
        for path in ("/me", "/workspaces", "/audit", "/tokens"):
            for name in (theirs.id, theirs.name, str(uuid4())):
                answer = mine.admin.get(path, params={"organization": name})
                refused(answer, 404)
        assert (
            mine.admin.get("/folders", params={"workspace": their["/workspaces"]}).status_code
            == 404
        )
        for params in ({"target": their["/workspaces"]}, {"subject": group}):
            assert done(mine.admin.get("/grants", params=params))["items"] == []
        assert mine.admin.get("/admin_tokens", params={"of": theirs.id}).status_code == 404
        assert {one["id"] for one in done(mine.admin.get("/organizations"))["items"]} == {mine.id}
        assert state(theirs) == before


def test_without_a_token_every_address_says_the_same(house: House) -> None:
    with house.installation() as root:
        described = done(root.get("/schema"))["paths"]
    with httpx.Client(base_url=house.url) as nobody:
        answers = {
            nobody.request(verb, path.replace("{", "").replace("}", ""), json={}).text
            for path, operations in described.items()
            for verb in operations
            if "deliveries/" not in path
        }
    assert len(answers) == 1
    assert '"status":401' in answers.pop()
