"""RFC 7644 section 3.7: bulk requests, and references between their operations (R-43)."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.scim import ScimSettings
from tests.dialects.served import (
    ERROR,
    GROUP,
    PATCH_OP,
    USER,
    Document,
    Tenant,
    a_user,
    refused,
    serving,
)

BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def send(idp: Tenant, *operations: Document, **more: Any) -> httpx.Response:
    body = {"schemas": [BULK_REQUEST], "Operations": operations, **more}
    return idp.http.post("/Bulk", json=body)


def done(idp: Tenant, *operations: Document, **more: Any) -> list[Document]:
    answer = send(idp, *operations, **more)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/scim+json"
    assert answer.json()["schemas"] == [BULK_RESPONSE]
    return list(answer.json()["Operations"])


def post_user(name: str, bulk_id: str | None = None, /, **attributes: Any) -> Document:
    return {
        "method": "POST",
        "path": "/Users",
        "bulkId": bulk_id or name,
        "data": a_user(name, **attributes),
    }


def post_group(name: str, *members: str) -> Document:
    data = {"schemas": [GROUP], "displayName": name, "members": [{"value": m} for m in members]}
    return {"method": "POST", "path": "/Groups", "bulkId": name, "data": data}


def add(*members: str) -> Document:
    value = [{"value": member} for member in members]
    return {
        "schemas": [PATCH_OP],
        "Operations": [{"op": "add", "path": "members", "value": value}],
    }


def statuses(answers: list[Document]) -> list[str]:
    return [answer["status"] for answer in answers]


def id_of(answer: Document) -> str:
    return str(answer["location"]).rpartition("/")[2]


def test_R_43_bulk_is_announced_with_its_limits(idp: Tenant) -> None:
    bulk = idp.http.get("/ServiceProviderConfig").json()["bulk"]
    assert bulk == {"supported": True, "maxOperations": 1000, "maxPayloadSize": 8 * 1024 * 1024}
    answer = idp.http.get("/Bulk")
    refused(answer, 405)
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_R_43_every_method_answers_in_order_as_it_would_alone(idp: Tenant) -> None:
    ben, eve = idp.user("ben"), idp.user("eve")
    url = idp.served.url
    answers = done(
        idp,
        post_user("ann"),
        {"method": "PUT", "path": f"/Users/{ben['id']}", "data": a_user("ben", title="Boss")},
        {
            "method": "PATCH",
            "path": f"/Users/{ben['id']}",
            "bulkId": "mine",
            "version": 'W/"2"',
            "data": {
                "schemas": [PATCH_OP],
                "Operations": [{"op": "replace", "path": "nickName", "value": "b"}],
            },
        },
        {"method": "DELETE", "path": f"/Users/{eve['id']}"},
    )
    ann = id_of(answers[0])
    here = f"{url}/Users/{ben['id']}"
    assert answers == [
        {
            "method": "POST",
            "bulkId": "ann",
            "location": f"{url}/Users/{ann}",
            "version": 'W/"1"',
            "status": "201",
        },
        {"method": "PUT", "location": here, "version": 'W/"2"', "status": "200"},
        {
            "method": "PATCH",
            "bulkId": "mine",
            "location": here,
            "version": 'W/"3"',
            "status": "200",
        },
        {"method": "DELETE", "location": f"{url}/Users/{eve['id']}", "status": "204"},
    ]
    assert idp.http.get(f"/Users/{ann}").json()["userName"] == "ann"
    shown = idp.http.get(f"/Users/{ben['id']}").json()
    assert (shown["title"], shown["nickName"]) == ("Boss", "b")
    refused(idp.http.get(f"/Users/{eve['id']}"), 404)


def test_R_43_references_lead_back_and_forward(idp: Tenant) -> None:
    """The group comes first and names users that are made after it; a PATCH names what is new."""
    late = {"method": "PATCH", "path": "/Groups/bulkId:Sales", "data": add("bulkId:eve")}
    boss = {"manager": {"value": "bulkId:ann"}}
    answers = done(
        idp,
        post_group("Sales", "bulkId:ann", "bulkId:ben"),
        late,
        post_user("ben", **{ENTERPRISE: boss}),
        post_user("ann"),
        post_user("eve"),
    )
    assert statuses(answers) == ["201", "200", "201", "201", "201"]
    sales, _, ben, ann, eve = map(id_of, answers)
    assert idp.members(sales) == {ann, ben, eve}
    assert idp.http.get(f"/Users/{ben}").json()[ENTERPRISE]["manager"]["value"] == ann
    gone = {"op": "remove", "path": 'members[value eq "bulkId:kim"]'}
    body = {"schemas": [PATCH_OP], "Operations": [gone]}
    patch = {"method": "PATCH", "path": f"/Groups/{sales}", "data": body}
    assert statuses(done(idp, patch, post_user("kim"))) == ["200", "201"]


def test_R_43_groups_that_are_members_of_each_other(idp: Tenant) -> None:
    answers = done(
        idp,
        post_group("A", "bulkId:B", "bulkId:ann"),
        post_group("B", "bulkId:C"),
        post_group("C", "bulkId:A", "bulkId:B"),
        post_user("ann"),
    )
    assert statuses(answers) == ["201"] * 4
    a, b, c, ann = map(id_of, answers)
    assert [idp.members(group) for group in (a, b, c)] == [{b, ann}, {c}, {a, b}]
    for answer, group in zip(answers, (a, b, c), strict=False):
        assert idp.http.get(f"/Groups/{group}").headers["etag"] == answer["version"]


def test_R_43_managers_of_each_other(idp: Tenant) -> None:
    boss = {name: {ENTERPRISE: {"manager": {"value": f"bulkId:{name}"}}} for name in ("a", "b")}
    answers = done(idp, post_user("a", **boss["b"]), post_user("b", **boss["a"]))
    assert statuses(answers) == ["201", "201"]
    for one, other in zip(answers, reversed(answers), strict=True):
        shown = idp.http.get(f"/Users/{id_of(one)}").json()
        assert shown[ENTERPRISE]["manager"]["value"] == id_of(other)


def test_R_43_a_circle_is_made_as_a_whole_or_not_at_all(idp: Tenant) -> None:
    idp.group("Taken")
    before = idp.rows()
    answers = done(
        idp,
        post_group("A", "bulkId:Taken"),
        post_group("Taken", "bulkId:A"),
        post_group("Above", "bulkId:A"),
    )
    assert statuses(answers) == ["409", "409", "409"]
    kinds = [answer["response"].get("scimType") for answer in answers]
    assert kinds == [None, "uniqueness", None]
    assert not any("location" in answer for answer in answers)
    assert idp.rows() == before


def test_R_43_a_group_cannot_be_its_own_member(idp: Tenant) -> None:
    (answer,) = done(idp, post_group("A", "bulkId:A"))
    assert answer["status"] == "400"
    assert answer["response"]["scimType"] == "invalidValue"


def test_R_43_what_fails_is_told_and_the_rest_is_done(idp: Tenant) -> None:
    ann = idp.user("ann")
    answers = done(
        idp,
        post_user("ANN"),
        post_group("G", "bulkId:ANN"),
        post_group("H", "bulkId:nobody"),
        {"method": "DELETE", "path": "/Users/nobody"},
        {"method": "PUT", "path": f"/Users/{ann['id']}", "version": 'W/"9"', "data": a_user("x")},
        post_user("ben"),
    )
    assert statuses(answers) == ["409", "409", "400", "404", "412", "201"]
    for answer in answers[:-1]:
        error = answer["response"]
        assert (error["schemas"], error["status"]) == ([ERROR], answer["status"])
        assert error["detail"]
    assert answers[0]["response"]["scimType"] == "uniqueness"
    assert ["location" in answer for answer in answers] == [False, False, False, True, True, True]
    assert {u["userName"] for u in idp.http.get("/Users").json()["Resources"]} == {"ann", "ben"}


@pytest.mark.parametrize(("most", "tried"), [(1, 2), (2, 4), (3, 5)])
def test_R_43_it_stops_after_so_many_errors(idp: Tenant, most: int, tried: int) -> None:
    nobody = {"method": "DELETE", "path": "/Users/nobody"}
    operations = [post_user("a"), nobody, post_user("b"), nobody, post_user("c")]
    answers = done(idp, *operations, failOnErrors=most)
    assert statuses(answers) == ["201", "404", "201", "404", "201"][:tried]
    assert idp.http.get("/Users").json()["totalResults"] == (tried + 1) // 2


BAD_OPERATIONS: dict[str, tuple[Document, str]] = {
    "no bulkId": ({"method": "POST", "path": "/Users", "data": a_user()}, "400"),
    "no method": ({"path": "/Users/x"}, "400"),
    "GET": ({"method": "GET", "path": "/Users/x"}, "400"),
    "no path": ({"method": "DELETE"}, "404"),
    "no data": ({"method": "POST", "path": "/Users", "bulkId": "a"}, "400"),
    "data is a list": ({"method": "PUT", "path": "/Users/x", "data": []}, "400"),
    "POST to a resource": ({**post_user("a"), "path": "/Users/x"}, "404"),
    "PUT to a collection": ({"method": "PUT", "path": "/Users", "data": a_user()}, "404"),
    "POST to bulk": ({**post_user("a"), "path": "/Bulk"}, "404"),
    "an unknown type": ({**post_user("a"), "path": "/Cars"}, "404"),
    "a bad patch": ({"method": "PATCH", "path": "/Users/x", "data": {}}, "400"),
    "a bad user": ({**post_user("a"), "data": {"schemas": [USER]}}, "400"),
}


@pytest.mark.parametrize(("bad", "status"), BAD_OPERATIONS.values(), ids=BAD_OPERATIONS.keys())
def test_R_43_a_bad_operation_is_refused_alone(idp: Tenant, bad: Document, status: str) -> None:
    assert statuses(done(idp, bad, post_user("ben", "other"))) == [status, "201"]


BAD_REQUESTS: dict[str, tuple[Document, str]] = {
    "no schemas": ({"schemas": []}, "invalidSyntax"),
    "no operations": ({"Operations": []}, "invalidSyntax"),
    "operations no list": ({"Operations": {}}, "invalidSyntax"),
    "an operation that is none": ({"Operations": ["POST"]}, "invalidSyntax"),
    "a path that is none": ({"Operations": [{**post_user("a"), "path": 7}]}, "invalidSyntax"),
    "a bulkId twice": ({"Operations": [post_user("a"), post_user("b", "a")]}, "invalidSyntax"),
    "failOnErrors 0": ({"failOnErrors": 0}, "invalidValue"),
    "failOnErrors true": ({"failOnErrors": True}, "invalidValue"),
    "failOnErrors text": ({"failOnErrors": "1"}, "invalidValue"),
}


@pytest.mark.parametrize(("change", "kind"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_R_43_a_bad_request_writes_nothing(idp: Tenant, change: Document, kind: str) -> None:
    before = idp.rows()
    good = {"schemas": [BULK_REQUEST], "Operations": [post_user("a")]}
    refused(idp.http.post("/Bulk", json=good | change), 400, kind)
    assert idp.rows() == before


def test_R_43_too_much_is_413_and_names_the_limit(tmp_path: Path) -> None:
    settings = ScimSettings(bulk_operations=2, body_bytes=2000)
    with serving(tmp_path, settings=settings) as served, served.tenant() as idp:
        before = idp.rows()
        too_many = [post_user(name) for name in "abc"]
        assert "bulk_operations of 2" in refused(send(idp, *too_many), 413)
        too_large = post_user("a", title="x" * 2000)
        assert "body_bytes of 2000" in refused(send(idp, too_large), 413)
        assert idp.rows() == before
        assert statuses(done(idp, *too_many[:2])) == ["201", "201"]
        announced = idp.http.get("/ServiceProviderConfig").json()["bulk"]
        assert (announced["maxOperations"], announced["maxPayloadSize"]) == (2, 2000)


def test_R_43_its_operations_count_against_the_rate(tmp_path: Path) -> None:
    settings = ScimSettings(connection_rate=0.5)  # and so 5 at once
    with serving(tmp_path, settings=settings) as served, served.tenant() as idp:
        assert statuses(done(idp, *[post_user(name) for name in "abcdef"])) == ["201"] * 6
        answer = idp.http.get("/Users")
        refused(answer, 429)
        assert int(answer.headers["retry-after"]) >= 2


def test_R_43_a_thousand_operations_in_a_chain(idp: Tenant) -> None:
    groups = [post_group(f"g{n}", f"bulkId:g{n + 1}") for n in range(999)] + [post_group("g999")]
    answers = done(idp, *groups)
    assert set(statuses(answers)) == {"201"}
    assert idp.members(id_of(answers[0])) == {id_of(answers[1])}
