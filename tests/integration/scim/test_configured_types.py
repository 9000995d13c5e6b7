"""A resource type that only the configuration knows behaves as a built-in one, over HTTP.

`test-resource.toml` declares each kind of attribute once; the tests go through all of them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.config import load
from tests.dialects.served import Document, Tenant, created, refused, serving

URN = "urn:ietf:params:scim:schemas:test:2.0:TestResource"
EXTENSION = "urn:ietf:params:scim:schemas:extension:test:2.0:TestResource"
PLACE = "/TestResources"

WHOLE: Document = {
    "caseExactString": "Exact",
    "caseInsensitiveString": "Folded",
    "integerAttr": 7,
    "booleanAttr": True,
    "dateTimeAttr": "2024-02-29T12:00:00+02:00",
    "binaryAttr": "YWJj",
    "referenceAttr": "https://example.com/A",
    "immutableAttr": "for good",
    "writeOnlyAttr": "hidden",
    "requestOnlyAttr": "asked",
    "alwaysReturnedAttr": "always",
    "multiStrings": ["a", "b"],
    "complexAttr": {"sub1": "one", "sub2": 2, "sub3": False},
    "multiComplex": [{"value": "x", "type": "a", "primary": True}, {"value": "y", "type": "b"}],
    "uniqueString": "Only",
    EXTENSION: {"extString": "e", "extRequired": "needed", "extInteger": 3},
}


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    registry = load(Path(__file__).with_name("test-resource.toml"), {}).registry
    with serving(tmp_path_factory.mktemp("types"), registry) as served:
        yield served.tenant


@pytest.fixture
def idp(tenants: Any) -> Iterator[Tenant]:
    with tenants() as tenant:
        yield tenant


def body(identifier: str = "one", **attributes: Any) -> Document:
    required = {EXTENSION: {"extRequired": "needed"}}
    return {"schemas": [URN, EXTENSION], "identifier": identifier, **required, **attributes}


def make(idp: Tenant, identifier: str = "one", **attributes: Any) -> Document:
    return created(idp.http.post(PLACE, json=body(identifier, **attributes)))


def test_it_is_described_as_it_was_declared(idp: Tenant) -> None:
    rtype = idp.http.get("/ResourceTypes/TestResource").json()
    assert (rtype["endpoint"], rtype["schema"]) == (PLACE, URN)
    assert rtype["schemaExtensions"] == [{"schema": EXTENSION, "required": True}]
    attributes = {a["name"]: a for a in idp.http.get(f"/Schemas/{URN}").json()["attributes"]}
    assert attributes.keys() == {"identifier", "readOnlyAttr", *WHOLE} - {EXTENSION}
    assert attributes["identifier"]["uniqueness"] == "server"
    assert attributes["complexAttr"]["subAttributes"][1]["type"] == "integer"


def test_a_whole_resource_is_kept_and_shown_as_declared(idp: Tenant) -> None:
    shown = make(idp, **WHOLE, readOnlyAttr="ignored")
    hidden = {"writeOnlyAttr", "requestOnlyAttr"}
    expected = {name: value for name, value in WHOLE.items() if name not in hidden}
    expected |= {"identifier": "one", "dateTimeAttr": "2024-02-29T10:00:00.000Z"}
    assert {k: v for k, v in shown.items() if k not in ("id", "meta", "schemas")} == expected
    assert shown["schemas"] == [URN, EXTENSION]
    assert shown["meta"]["location"] == f"{idp.served.url}{PLACE}/{shown['id']}"
    place = f"{PLACE}/{shown['id']}"
    asked = idp.http.get(place, params={"attributes": "requestOnlyAttr,writeOnlyAttr"}).json()
    assert asked.keys() == {"schemas", "id", "requestOnlyAttr", "alwaysReturnedAttr"}
    excluded = {"excludedAttributes": "alwaysReturnedAttr,complexAttr.sub1,meta"}
    left = idp.http.get(place, params=excluded).json()
    assert left["alwaysReturnedAttr"] == "always"
    assert left["complexAttr"] == {"sub2": 2, "sub3": False}
    assert "meta" not in left


REFUSED: dict[str, Document] = {
    "identifier missing": {"identifier": None},
    "extension missing": {EXTENSION: None},
    "required of the extension missing": {EXTENSION: {"extString": "e"}},
    "integer with a fraction": {"integerAttr": 1.5},
    "integer a word": {"integerAttr": "many"},
    "boolean a word": {"booleanAttr": "perhaps"},
    "dateTime without a time": {"dateTimeAttr": "2024-02-29"},
    "dateTime of no such day": {"dateTimeAttr": "2023-02-29T00:00:00Z"},
    "binary that is not base64": {"binaryAttr": "not base64!"},
    "reference an object": {"referenceAttr": {"value": "https://example.com/A"}},
    "string a list": {"caseExactString": ["a"]},
    "complex a text": {"complexAttr": "one"},
    "integer in complex a word": {"complexAttr": {"sub2": "two"}},
    "integer of the extension a word": {EXTENSION: {"extRequired": "n", "extInteger": "x"}},
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_values_that_do_not_fit_are_refused(idp: Tenant, change: Document) -> None:
    before = idp.rows()
    refused(idp.http.post(PLACE, json=body() | change), 400, "invalidValue")
    assert idp.rows() == before


@pytest.mark.parametrize("change", [{"identifier": "ONE"}, {"uniqueString": "onLY"}])
def test_unique_values_are_unique_without_case(idp: Tenant, change: Document) -> None:
    make(idp, uniqueString="Only")
    other = make(idp, "two")
    refused(idp.http.post(PLACE, json=body("three") | change), 409, "uniqueness")
    place = f"{PLACE}/{other['id']}"
    refused(idp.http.put(place, json=body("two") | change), 409, "uniqueness")
    refused(idp.patch(place, {"op": "replace", "value": change}), 409, "uniqueness")


def test_mutability_decides_what_a_put_and_a_patch_may_do(idp: Tenant) -> None:
    place = f"{PLACE}/{make(idp, **WHOLE)['id']}"
    after = idp.http.put(place, json=body(readOnlyAttr="x")).json()
    assert after["immutableAttr"] == "for good"
    assert "readOnlyAttr" not in after
    assert "complexAttr" not in after
    refused(idp.http.put(place, json=body(immutableAttr="other")), 400, "mutability")
    for path in ("immutableAttr", "readOnlyAttr"):
        change = {"op": "replace", "path": path, "value": "other"}
        refused(idp.patch(place, change), 400, "mutability")
    for path in ("identifier", f"{EXTENSION}:extRequired", EXTENSION):
        answer = idp.patch(place, {"op": "remove", "path": path})
        assert (answer.status_code, answer.json()["scimType"]) in [
            (400, "mutability"),
            (400, "invalidValue"),
        ]
    assert idp.patch(place, {"op": "remove", "path": "writeOnlyAttr"}).status_code == 200


def test_patch_reaches_every_kind_of_attribute(idp: Tenant) -> None:
    place = f"{PLACE}/{make(idp, **WHOLE)['id']}"
    after = idp.patch(
        place,
        {"op": "add", "path": "multiStrings", "value": ["b", "c"]},
        {"op": "remove", "path": 'multiStrings[value eq "a"]'},
        {"op": "replace", "path": "complexAttr.sub2", "value": 5},
        {"op": "replace", "path": 'multiComplex[type eq "b"].primary', "value": True},
        {"op": "replace", "path": f"{EXTENSION}:extInteger", "value": 4},
        {"op": "replace", "value": {"integerAttr": 8, "complexAttr.sub1": "uno"}},
        {"op": "remove", "path": "referenceAttr"},
    ).json()
    assert after["multiStrings"] == ["b", "c"]
    assert after["complexAttr"] == {"sub1": "uno", "sub2": 5, "sub3": False}
    assert [entry.get("primary") for entry in after["multiComplex"]] == [False, True]
    assert after[EXTENSION]["extInteger"] == 4
    assert after["integerAttr"] == 8
    assert "referenceAttr" not in after


@pytest.mark.parametrize(
    ("filter_", "total"),
    [
        ('identifier eq "ONE"', 1),
        ('caseExactString eq "exact"', 0),
        ('caseExactString eq "Exact"', 1),
        ('caseInsensitiveString eq "FOLDED"', 1),
        ("integerAttr gt 6", 1),
        ("integerAttr gt 7", 0),
        ("booleanAttr eq true", 1),
        ('dateTimeAttr eq "2024-02-29T10:00:00Z"', 1),
        ('dateTimeAttr lt "2024-02-29T13:00:00+02:00"', 1),
        ('binaryAttr eq "YWJj"', 1),
        ('referenceAttr sw "https://example.com/"', 1),
        ('multiStrings eq "b"', 1),
        ("complexAttr.sub2 ge 2 and complexAttr.sub3 eq false", 1),
        ('multiComplex[type eq "a" and value eq "y"]', 0),
        ('multiComplex[type eq "b" and value eq "y"]', 1),
        ('uniqueString eq "only"', 1),
        (f'{EXTENSION}:extString eq "e"', 1),
        ("extInteger lt 4", 1),
        ("readOnlyAttr pr", 0),
    ],
)
def test_every_attribute_can_be_filtered(idp: Tenant, filter_: str, total: int) -> None:
    make(idp, **WHOLE)
    make(idp, "two")
    assert idp.find(PLACE, filter_)["totalResults"] == total


SORTED: dict[str, tuple[Any, Any]] = {
    "caseExactString": ("B", "a"),
    "caseInsensitiveString": ("a", "B"),
    "integerAttr": (9, 10),
    "booleanAttr": (False, True),
    "dateTimeAttr": ("2024-01-01T01:00:00+02:00", "2024-01-01T00:00:00Z"),
    "binaryAttr": ("YQ==", "YWI="),
    "referenceAttr": ("https://B.example", "https://a.example"),
    "multiStrings": (["b", "z"], ["c", "a"]),
    "multiComplex": ([{"value": "z"}, {"value": "a", "primary": True}], [{"value": "b"}]),
    "uniqueString": ("a", "B"),
}


@pytest.mark.parametrize(("by", "values"), SORTED.items(), ids=SORTED.keys())
def test_R_24_every_kind_of_attribute_sorts(idp: Tenant, by: str, values: tuple[Any, Any]) -> None:
    low, high = (make(idp, name, **{by: v})["id"] for name, v in zip("yx", values, strict=True))
    none = make(idp, "without")["id"]
    for order, expected in (("ascending", [low, high, none]), ("descending", [none, high, low])):
        how = {"sortBy": by, "sortOrder": order}
        page = idp.http.get(PLACE, params=how).json()
        assert [each["id"] for each in page["Resources"]] == expected
        walked: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = idp.http.get(PLACE, params={**how, "count": 1, "cursor": cursor}).json()
            walked += [each["id"] for each in page["Resources"]]
            cursor = page.get("nextCursor")
        assert walked == expected


@pytest.mark.parametrize(
    "filter_", ['booleanAttr gt "a"', 'binaryAttr lt "YQ=="', 'noAttr eq "x"', "writeOnlyAttr pr"]
)
def test_what_cannot_be_asked_is_refused(idp: Tenant, filter_: str) -> None:
    refused(idp.http.get(PLACE, params={"filter": filter_}), 400, "invalidFilter")


def test_it_is_deleted_and_its_unique_values_are_free_again(idp: Tenant) -> None:
    place = f"{PLACE}/{make(idp, uniqueString='Only')['id']}"
    assert idp.http.delete(place).status_code == 204
    refused(idp.http.get(place), 404)
    make(idp, uniqueString="Only")
