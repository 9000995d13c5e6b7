"""RFC sharp corners, creating and reading (R-11 to R-27): answers, projection, filters, pages."""

import pytest

from tests.dialects.served import (
    ENTERPRISE,
    GROUP,
    SEARCH_REQUEST,
    USER,
    Document,
    Tenant,
    a_user,
    created,
    refused,
)


@pytest.fixture
def ann(idp: Tenant) -> Document:
    return idp.user(
        "ann@example.com",
        name={"givenName": "Ann", "familyName": "Smith"},
        emails=[
            {"value": "ann@work.org", "type": "work", "primary": True},
            {"value": "ann@home.org", "type": "home"},
        ],
        title="Boss",
        active=True,
        **{ENTERPRISE: {"department": "Sales"}},
    )


UNSORTED = ("meta", "name", "addresses", "groups", "groups.value", "schemas", "password", "a b")
"""What gives no order; it is ignored."""


def names(page: Document) -> list[str]:
    return [each["userName"] for each in page["Resources"]]


def test_R_11_created_with_its_location(idp: Tenant) -> None:
    answer = idp.http.post("/Users", json=a_user(id="mine", meta={"location": "http://x"}))
    user = created(answer)
    assert answer.headers["location"] == user["meta"]["location"]
    assert user["meta"]["location"] == f"{idp.served.url}/Users/{user['id']}"


def test_R_12_duplicate_missing_and_unparsable(idp: Tenant) -> None:
    idp.user()
    refused(idp.http.post("/Users", json=a_user()), 409, "uniqueness")
    refused(idp.http.post("/Users", json={"schemas": [USER]}), 400, "invalidValue")
    refused(idp.http.post("/Users", content=b"{"), 400, "invalidSyntax")


def test_R_13_times_move_with_the_first_change(idp: Tenant, ann: Document) -> None:
    assert ann["meta"]["created"] == ann["meta"]["lastModified"]
    change = {"op": "replace", "path": "title", "value": "Chief"}
    after = idp.patch(f"/Users/{ann['id']}", change).json()["meta"]
    assert after["created"] == ann["meta"]["created"] < after["lastModified"]


def test_R_14_projection_applies_to_every_answer(idp: Tenant, ann: Document) -> None:
    only = {"attributes": "userName"}
    path = f"/Users/{ann['id']}"
    made = idp.http.post("/Users", json=a_user("new@example.com", title="x"), params=only)
    put = idp.http.put(path, json=a_user(title="x"), params=only)
    patch = idp.patch(path, {"op": "add", "path": "title", "value": "y"}, params=only)
    listed = idp.http.get("/Users", params=only).json()["Resources"][0]
    for shown in (made.json(), put.json(), patch.json(), listed):
        assert shown.keys() == {"schemas", "id", "userName"}
    assert patch.status_code == 200
    both = {"attributes": "userName", "excludedAttributes": "title"}
    refused(idp.http.get(path, params=both), 400, "invalidValue")


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ("id", set()),
        ("password", set()),
        ("name.givenName", {"name"}),
        ("name", {"name"}),
        ("userName,title", {"userName", "title"}),
        (" userName , TITLE ", {"userName", "title"}),
        (f"{ENTERPRISE}:department", {ENTERPRISE}),
        (ENTERPRISE, {ENTERPRISE}),
        ("meta", {"meta"}),
        ("meta.version", {"meta"}),
    ],
)
def test_R_15_attributes(idp: Tenant, ann: Document, attributes: str, shown: set[str]) -> None:
    user = idp.http.get(f"/Users/{ann['id']}", params={"attributes": attributes}).json()
    assert user.keys() == {"schemas", "id"} | shown


def test_R_15_excluded_attributes(idp: Tenant, ann: Document) -> None:
    excluded = "id,schemas,meta,name.familyName,emails,userName"
    user = idp.http.get(f"/Users/{ann['id']}", params={"excludedAttributes": excluded}).json()
    assert user.keys() == {"schemas", "id", "name", "title", "active", ENTERPRISE}
    assert user["name"] == {"givenName": "Ann"}


def test_R_16_unknown_names_are_ignored(idp: Tenant, ann: Document) -> None:
    shown = idp.http.get(f"/Users/{ann['id']}?attributes=title,nope,no.pe").json()
    assert shown["title"] == "Boss"
    assert idp.http.get(f"/Users/{ann['id']}?excludedAttributes=nope").json() == ann


def test_R_17_etags(idp: Tenant, ann: Document) -> None:
    path, tag = f"/Users/{ann['id']}", ann["meta"]["version"]
    read = idp.http.get(path)
    assert read.headers["etag"] == tag
    for seen in (tag, "*", f'"x", {tag}', tag.removeprefix("W/")):
        answer = idp.http.get(path, headers={"If-None-Match": seen})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    assert idp.http.get(path, headers={"If-None-Match": 'W/"x"'}).status_code == 200
    stale = {"If-Match": 'W/"999"'}
    before = idp.rows()
    refused(idp.http.put(path, json=a_user(), headers=stale), 412)
    refused(idp.patch(path, {"op": "add", "path": "title", "value": "x"}, headers=stale), 412)
    refused(idp.http.delete(path, headers=stale), 412)
    assert idp.rows() == before
    same = idp.patch(
        path, {"op": "replace", "path": "title", "value": "Boss"}, headers={"If-Match": tag}
    )
    assert (same.headers["etag"], same.json()["meta"]) == (tag, ann["meta"])
    new = idp.patch(path, {"op": "replace", "path": "title", "value": "x"}).headers["etag"]
    assert new != tag
    assert idp.http.delete(path, headers={"If-Match": new}).status_code == 204


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ('title eq "Boss" or title eq "x" and userName eq "x"', 1),
        ('(title eq "Boss" or title eq "x") and userName eq "x"', 0),
        ('not (title eq "Boss")', 0),
        ('not (title eq "x") and active eq true', 1),
        ("title pr", 1),
        ("nickName pr", 0),
        ("name pr", 1),
        ("addresses pr", 0),
        ('emails co "home.org"', 1),
        ('emails.type eq "work" and emails.value co "home"', 1),
        ('emails[type eq "work" and value co "home"]', 0),
        ('emails ne "ann@work.org"', 1),
        ('not (emails eq "ann@work.org")', 0),
        ("nickName eq null", 1),
        ("title ne null", 1),
        ("active eq true", 1),
        ('title eq "B\\u006fss"', 1),
        ('meta.resourceType eq "User"', 1),
        ("title eq Boss", 1),  # unquoted, Microsoft's samples
    ],
)
def test_R_18_to_R_23_filters(idp: Tenant, ann: Document, filter_: str, found: int) -> None:
    assert idp.find("/Users", filter_)["totalResults"] == found


@pytest.mark.parametrize(
    "filter_",
    [
        "active gt true",
        'x509Certificates.value lt "YWJj"',
        'nope eq "x"',
        'password eq "x"',
        "password pr",
        "title",
        "title eq",
        'title eq "x" and',
        'title xx "x"',
        'not title eq "x"',
        '(title eq "x"',
        'title eq "x',
        'emails[type eq "work"',
        'emails[[type eq "work"]]',
        "",
        "(" * 20 + 'title eq "x"' + ")" * 20,
        " or ".join(['title eq "x"'] * 65),
        f'title eq "{"x" * 4096}"',
    ],
)
def test_R_22_filters_that_cannot_be_answered(idp: Tenant, filter_: str) -> None:
    answer = idp.http.get("/Users", params={"filter": filter_})
    refused(answer, 400, "invalidFilter")


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ({"sortBy": "title"}, "abc"),
        ({"sortBy": "title", "sortOrder": "ascending"}, "abc"),
        ({"sortBy": "TITLE", "sortOrder": "descending"}, "cba"),
        ({"sortBy": "emails"}, "bac"),
        ({"sortBy": "userName", "sortOrder": "descending"}, "cba"),
        ({"sortBy": "nope"}, "abc"),
        *[({"sortBy": by, "sortOrder": "descending"}, "abc") for by in UNSORTED],
        ({"sortOrder": "descending"}, "abc"),
    ],
)
def test_R_24_sorting(idp: Tenant, sort: Document, order: str) -> None:
    emails = [{"value": "9@x.org"}, {"value": "2@x.org", "primary": True}]
    idp.user("a", title="Alpha", emails=emails)
    idp.user("b", title="beta", emails=[{"value": "1@x.org"}])
    idp.user("c")
    assert "".join(names(idp.http.get("/Users", params=sort).json())) == order


@pytest.mark.parametrize(
    ("page", "shown", "start"),
    [
        ({}, "abcde", 1),
        ({"startIndex": 0}, "abcde", 1),
        ({"startIndex": -7, "count": 2}, "ab", 1),
        ({"startIndex": 2, "count": 2}, "bc", 2),
        ({"count": 0}, "", 1),
        ({"count": -1}, "", 1),
        ({"count": 10**9}, "abcde", 1),
        ({"startIndex": 99}, "", 99),
    ],
)
def test_R_25_pages(idp: Tenant, page: Document, shown: str, start: int) -> None:
    for name in "abcde":
        idp.user(name)
    for answer in (
        idp.http.get("/Users", params=page),
        idp.http.post("/Users/.search", json={"schemas": [SEARCH_REQUEST], **page}),
    ):
        found = answer.json()
        assert "".join(names(found)) == shown
        assert (found["totalResults"], found["startIndex"]) == (5, start)
        assert found["itemsPerPage"] == len(shown)


@pytest.mark.parametrize("query", ["count=x", "startIndex=1.5", "startIndex=", "count=1&count=2"])
def test_R_25_what_is_no_number_is_refused(idp: Tenant, query: str) -> None:
    refused(idp.http.get(f"/Users?{query}"), 400, "invalidValue")


def test_R_26_search_by_post(idp: Tenant, ann: Document) -> None:
    group = idp.group("Sales", ann["id"])
    body: Document = {"schemas": [SEARCH_REQUEST], "attributes": ["title"]}
    body["filter"] = 'userName sw "ann"'
    answer = idp.http.post("/Users/.search", json=body)
    assert answer.status_code == 200
    assert answer.json()["Resources"] == [
        {"schemas": ann["schemas"], "id": ann["id"], "title": "Boss"}
    ]
    body = {"schemas": [SEARCH_REQUEST], "excludedAttributes": ["members", "meta"]}
    everything = idp.http.post("/.search", json=body).json()
    assert [each["id"] for each in everything["Resources"]] == [ann["id"], group["id"]]
    wrong: Document = {"schemas": [GROUP]}
    refused(idp.http.post("/Users/.search", json=wrong), 400, "invalidSyntax")
    wrong = {"schemas": [SEARCH_REQUEST], "filter": 7}
    refused(idp.http.post("/Users/.search", json=wrong), 400, "invalidValue")


def test_R_27_the_root_can_be_asked(idp: Tenant, ann: Document) -> None:
    group = idp.group("Sales")
    found = idp.find("/", 'userName eq "ann@example.com" or displayName eq "sales"')
    assert [each["id"] for each in found["Resources"]] == [ann["id"], group["id"]]
    second = idp.http.get("/", params={"startIndex": 2, "count": 1}).json()
    assert [each["id"] for each in second["Resources"]] == [group["id"]]
    assert second["totalResults"] == 2
    refused(idp.http.get("/", params={"filter": "nope pr"}), 400, "invalidFilter")


def test_R_25_a_start_beyond_all_numbers_is_beyond_the_end(idp: Tenant) -> None:
    idp.user()
    for far in (10**18, 10**20, 2**63, 10**300):
        body = {"schemas": [SEARCH_REQUEST], "startIndex": far, "count": far}
        page = idp.http.post("/Users/.search", json=body).json()
        assert (page["totalResults"], page["Resources"]) == (1, [])
        page = idp.http.post("/.search", json=body | {"startIndex": -far}).json()
        assert page["totalResults"] == page["itemsPerPage"] == 1
