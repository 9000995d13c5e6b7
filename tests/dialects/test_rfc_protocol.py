"""RFC sharp corners, the protocol around resources (R-42 to R-51): methods, errors, discovery."""

import httpx
import pytest

from tests.dialects.served import ENTERPRISE, GROUP, USER, Served, Tenant, a_user, refused

CONFIGURATION = "/ServiceProviderConfig"
DISCOVERY = (
    CONFIGURATION,
    "/Schemas",
    "/ResourceTypes",
    "/ResourceTypes/User",
    f"/Schemas/{ENTERPRISE}",
)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_R_42_me(idp: Tenant, method: str) -> None:
    refused(idp.http.request(method, "/Me"), 501)


def test_R_44_every_error_is_a_scim_error(idp: Tenant) -> None:
    for answer, status in (
        (idp.http.get("/Nope"), 404),
        (idp.http.get("/Users/1/2"), 404),
        (idp.http.get("/Users/nobody"), 404),
        (idp.http.get("/Users", headers={"Authorization": ""}), 401),
        (idp.http.put("/Users", json={}), 405),
        (idp.http.request("TRACE", "/Users"), 405),
        (idp.http.post("/Users", content=b"x" * (9 << 20)), 413),
        (idp.http.post("/Users", content=b"<a/>", headers={"Content-Type": "text/xml"}), 415),
    ):
        refused(answer, status)


@pytest.mark.parametrize("path", DISCOVERY)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_R_45_known_path_other_method(idp: Tenant, path: str, method: str) -> None:
    answer = idp.http.request(method, path)
    refused(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/Users", "GET, POST, HEAD, OPTIONS"),
        ("/Groups", "GET, POST, HEAD, OPTIONS"),
        ("/Users/1", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"),
        ("/Users/.search", "POST, OPTIONS"),
        ("/.search", "POST, OPTIONS"),
    ],
)
def test_R_45_allow(idp: Tenant, path: str, allow: str) -> None:
    options = idp.http.options(path)
    assert (options.status_code, options.headers["allow"]) == (204, allow)
    answer = idp.http.request("LINK", path)
    refused(answer, 405)
    assert answer.headers["allow"] == allow


def test_R_45_head_is_get_without_a_body(idp: Tenant) -> None:
    path = f"/Users/{idp.user()['id']}"
    head, get = idp.http.head(path), idp.http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "location", "content-type", "content-length"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("application/scim+json", "application/scim+json"),
        ("application/json", "application/json"),
        ("application/json, application/scim+json;q=0.9", "application/scim+json"),
        ("*/*", "application/scim+json"),
        ("application/*", "application/scim+json"),
    ],
)
def test_R_46_accept(idp: Tenant, accept: str, answered: str) -> None:
    answer = idp.http.get("/Users", headers={"Accept": accept})
    assert answer.headers["content-type"] == answered
    error = idp.http.get("/Users/nobody", headers={"Accept": accept})
    assert error.headers["content-type"] == "application/scim+json"


def test_R_47_text_is_kept_as_it_came(idp: Tenant) -> None:
    composed, decomposed, clef = "caf\u00e9", "cafe\u0301", "\U0001d11e"
    for number, text in enumerate((composed, decomposed, clef)):
        user = idp.user(f"user{number}@example.com", displayName=text)
        assert idp.http.get(f"/Users/{user['id']}").json()["displayName"] == text
    assert idp.find("/Users", f'displayName eq "{composed}"')["totalResults"] == 2
    idp.user(f"{composed}@example.com")
    again = a_user(f"{decomposed}@example.com")
    refused(idp.http.post("/Users", json=again), 409, "uniqueness")


def test_R_48_discovery_needs_no_token(served: Served) -> None:
    for path in DISCOVERY:
        assert httpx.get(served.url + path).status_code == 200
    schemes = httpx.get(served.url + CONFIGURATION).json()["authenticationSchemes"]
    assert [scheme["type"] for scheme in schemes] == ["oauthbearertoken"]


@pytest.mark.parametrize("path", DISCOVERY)
def test_R_49_discovery_ignores_parameters_and_forbids_filters(idp: Tenant, path: str) -> None:
    query = {"count": "x", "sortBy": "y", "attributes": "z"}
    assert idp.http.get(path, params=query).json() == idp.http.get(path).json()
    refused(idp.http.get(path, params={"filter": "id pr"}), 403)


def test_R_50_another_version_is_not_here(served: Served) -> None:
    refused(httpx.get(served.url.replace("/v2", "/v3") + "/Users"), 404)


def test_discovery_describes_what_is_served(idp: Tenant) -> None:
    kinds = idp.http.get("/ResourceTypes").json()
    assert kinds["totalResults"] == kinds["itemsPerPage"] == 2
    for kind in kinds["Resources"]:
        assert idp.http.get(f"/ResourceTypes/{kind['name']}").json() == kind
        assert idp.http.get(kind["endpoint"]).status_code == 200
        assert idp.http.get(f"/Schemas/{kind['schema']}").status_code == 200
    schemas = idp.http.get("/Schemas").json()["Resources"]
    assert {schema["id"] for schema in schemas} == {USER, GROUP, ENTERPRISE}
    for schema in schemas:
        for urn in (schema["id"], schema["id"].lower()):
            assert idp.http.get(f"/Schemas/{urn}").json() == schema
    for path in ("/ResourceTypes/Nope", "/Schemas/urn:nope", "/ResourceTypes/User/x"):
        refused(idp.http.get(path), 404)


def test_a_trailing_slash_is_no_other_address(idp: Tenant) -> None:
    user = idp.user()
    for path in ("/Users/", f"/Users/{user['id']}/", "/Schemas/", "//Users"):
        assert idp.http.get(f"{idp.served.url}{path}").status_code == 200


def test_locations_come_from_the_configuration(idp: Tenant) -> None:
    spoofed = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    made = idp.http.post("/Users", json=a_user(), headers=spoofed)
    assert made.status_code == 201
    assert "evil" not in made.text + str(made.headers)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"X-Request-Id": "abc-123"}, True),
        ({"X-Okta-Request-Id": "Zx9"}, True),
        ({"X-Request-Id": "a b"}, False),
        ({"X-Request-Id": "x" * 200}, False),
        ({}, False),
    ],
)
def test_requests_are_numbered(idp: Tenant, sent: dict[str, str], kept: bool) -> None:
    number = idp.http.get("/Users", headers=sent).headers["x-request-id"]
    assert (number in sent.values()) == kept
    assert number
