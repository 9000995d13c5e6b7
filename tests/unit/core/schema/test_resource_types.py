"""Definitions, look-ups, and schemas as configuration: a custom type is a built-in one's equal."""

from typing import Any

import pytest

from bridge.core.patch import PATCH_URN, apply, parse_operations
from bridge.core.schema import (
    ENTERPRISE_URN,
    GROUP,
    STANDARD,
    USER,
    USER_URN,
    Attribute,
    Registry,
    ResourceType,
    Schema,
    Type,
    index_keys,
    normalize,
    render,
    resource_type_from_data,
    resource_type_to_data,
    schema_from_data,
    schema_to_data,
)

TEST_URN = "urn:ietf:params:scim:schemas:test:2.0:TestResource"
TEST_EXTENSION = "urn:ietf:params:scim:schemas:extension:test:2.0:TestResource"
TEST_RESOURCE = {
    "id": TEST_URN,
    "name": "TestResource",
    "attributes": [
        {"name": "identifier", "required": True, "uniqueness": "server"},
        {"name": "caseExactString", "caseExact": True},
        {"name": "caseInsensitiveString"},
        {"name": "integerAttr", "type": "integer"},
        {"name": "booleanAttr", "type": "boolean"},
        {"name": "dateTimeAttr", "type": "dateTime"},
        {"name": "binaryAttr", "type": "binary", "caseExact": True},
        {"name": "referenceAttr", "type": "reference", "referenceTypes": ["external"]},
        {"name": "readOnlyAttr", "mutability": "readOnly"},
        {"name": "immutableAttr", "mutability": "immutable"},
        {"name": "writeOnlyAttr", "mutability": "writeOnly", "returned": "never"},
        {"name": "requestOnlyAttr", "returned": "request"},
        {"name": "alwaysReturnedAttr", "returned": "always"},
        {"name": "multiStrings", "multiValued": True},
        {
            "name": "complexAttr",
            "type": "complex",
            "subAttributes": [
                {"name": "sub1"},
                {"name": "sub2", "type": "integer"},
                {"name": "sub3", "type": "boolean"},
            ],
        },
        {
            "name": "multiComplex",
            "multiValued": True,
            "subAttributes": [
                {"name": "value"},
                {"name": "type"},
                {"name": "primary", "type": "boolean"},
            ],
        },
        {"name": "uniqueString", "uniqueness": "server"},
    ],
}
TEST_EXTENSION_DATA = {
    "id": TEST_EXTENSION,
    "attributes": [
        {"name": "extString"},
        {"name": "extRequired", "required": True},
        {"name": "extInteger", "type": "integer"},
    ],
}
ROLE = {
    "id": "urn:okta:scim:schemas:core:1.0:Role",
    "name": "Role",
    "attributes": [
        {"name": "id", "required": True, "mutability": "readOnly"},
        {"name": "displayName", "required": True},
        {"name": "description"},
    ],
}


def conformance_type() -> ResourceType:
    data = {
        "name": "TestResource",
        "endpoint": "/TestResources",
        "schema": TEST_URN,
        "schemaExtensions": [{"schema": TEST_EXTENSION, "required": True}],
    }
    schemas = [schema_from_data(TEST_RESOURCE), schema_from_data(TEST_EXTENSION_DATA)]
    return resource_type_from_data(data, schemas)


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("USERNAME", "userName"),
        ("name.givenname", "name.givenName"),
        (f"{USER_URN}:name.givenName", "name.givenName"),
        ("urn:IETF:params:scim:schemas:core:2.0:user:username", "userName"),
        (f"{ENTERPRISE_URN}:manager.value", f"{ENTERPRISE_URN}:manager.value"),
        (f"{ENTERPRISE_URN}.manager", f"{ENTERPRISE_URN}:manager"),
        ("manager", f"{ENTERPRISE_URN}:manager"),
        ("meta.lastModified", "meta.lastModified"),
        ("members", None),
        ("name.givenName.x", None),
        (ENTERPRISE_URN, None),
        ("", None),
    ],
)
def test_R_1_R_2_paths_are_resolved_in_any_case_and_spelling(
    path: str, canonical: str | None
) -> None:
    target = USER.target(path)
    assert (str(target) if target else None) == canonical


def test_a_base_attribute_wins_over_an_extension_attribute_of_its_name() -> None:
    data = {
        "name": "T",
        "endpoint": "Ts",
        "schema": "urn:a",
        "schemaExtensions": [{"schema": "urn:b"}],
    }
    attributes = [{"name": "label"}]
    schemas = [schema_from_data({"id": u, "attributes": attributes}) for u in ("urn:a", "urn:b")]
    rtype = resource_type_from_data(data, schemas)
    assert [str(rtype.target(p)) for p in ("label", "urn:b:label")] == ["label", "urn:b:label"]
    assert rtype.endpoint == "/Ts"


def test_what_the_standard_types_are() -> None:
    assert USER.name_attribute is USER.schema.attribute("userName")
    assert GROUP.name_attribute is GROUP.schema.attribute("displayname")
    assert (USER.has_members, GROUP.has_members) == (False, True)
    assert (USER.has_password, GROUP.has_password) == (True, False)
    assert [str(t) for t in USER.required] == ["userName"]
    assert STANDARD.by_name("User") is STANDARD.by_endpoint("/Users") is USER
    assert STANDARD.schema(ENTERPRISE_URN.upper()) is USER.extensions[0].schema
    assert len(STANDARD.schemas) == 3
    assert USER.schemas({ENTERPRISE_URN: {"department": "x"}}) == [USER_URN, ENTERPRISE_URN]
    assert USER.schemas({"userName": "ann"}) == [USER_URN]


@pytest.mark.parametrize("schema", STANDARD.schemas, ids=lambda s: str(s.name))
def test_E_17_schemas_as_json_have_no_null_and_come_back_equal(schema: Schema) -> None:
    shown = schema_to_data(schema)
    assert schema_from_data(shown) == schema

    def check(value: Any) -> None:
        assert value is not None
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, dict | list):
                check(item)

    check(shown)


def test_resource_types_as_json_come_back_equal() -> None:
    for rtype in (USER, GROUP, conformance_type()):
        schemas = [rtype.schema, *(e.schema for e in rtype.extensions)]
        assert resource_type_from_data(resource_type_to_data(rtype), schemas) == rtype


def test_canonical_values_are_published_and_not_enforced() -> None:
    shown = {a["name"]: a for a in schema_to_data(USER.schema)["attributes"]}

    def types(name: str) -> list[str]:
        subs = {s["name"]: s for s in shown[name]["subAttributes"]}
        return subs["type"].get("canonicalValues", [])  # type: ignore[no-any-return]

    assert types("emails") == ["work", "home", "other"]
    assert types("addresses") == ["work", "home", "other"]
    assert types("phoneNumbers") == ["work", "home", "mobile", "fax", "pager", "other"]
    assert types("roles") == types("x509Certificates") == []
    body = {"schemas": [USER_URN], "userName": "a", "emails": [{"value": "x", "type": "odd"}]}
    assert normalize(USER, body).attributes["emails"] == [{"value": "x", "type": "odd"}]


def test_the_test_resource_is_served_by_configuration_alone() -> None:
    rtype = conformance_type()
    incoming = normalize(
        rtype,
        {
            "schemas": [TEST_URN, TEST_EXTENSION],
            "identifier": "One",
            "integerAttr": 3,
            "dateTimeAttr": "2026-01-01T00:00:00+01:00",
            "readOnlyAttr": "ignored",
            "immutableAttr": "fixed",
            "writeOnlyAttr": "hidden",
            "requestOnlyAttr": "asked",
            "multiStrings": ["a", "b"],
            "multiComplex": [{"value": "x", "primary": True}],
            "uniqueString": "U",
            TEST_EXTENSION: {"extRequired": "e"},
        },
    )
    keys = index_keys(rtype, incoming.attributes)
    assert keys.name_key == "one"
    assert keys.values == (("uniqueString", "u", True),)
    shown = render(rtype, incoming.attributes)
    assert "writeOnlyAttr" not in shown
    assert "requestOnlyAttr" not in shown
    assert shown[TEST_EXTENSION] == {"extRequired": "e"}
    patch = {
        "schemas": [PATCH_URN],
        "Operations": [
            {"op": "remove", "path": 'multiStrings[value eq "a"]'},
            {"op": "add", "path": "complexAttr.sub2", "value": 7},
            {"op": "replace", "path": f"{TEST_EXTENSION}:extInteger", "value": 8},
        ],
    }
    patched = apply(rtype, incoming.attributes, parse_operations(patch)).attributes
    assert patched["multiStrings"] == ["b"]
    assert patched["complexAttr"] == {"sub2": 7}
    assert patched[TEST_EXTENSION] == {"extRequired": "e", "extInteger": 8}


@pytest.mark.parametrize("endpoint", ["/Roles", "/Licenses"])
def test_O_roles_of_okta_are_served_by_configuration_alone(endpoint: str) -> None:
    role = resource_type_from_data(
        {"name": "Role", "endpoint": endpoint, "schema": str(ROLE["id"])}, [schema_from_data(ROLE)]
    )
    body = {"schemas": [ROLE["id"]], "displayName": "Admin", "description": "All of it"}
    attributes = normalize(role, body).attributes
    assert attributes == {"displayName": "Admin", "description": "All of it"}
    assert index_keys(role, attributes).name_key is None
    assert index_keys(role, attributes).display_key == "admin"
    assert str(role.target("id")) == "id"
    registry = Registry((USER, GROUP, role))
    assert registry.by_endpoint(endpoint) is role


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"attributes": []}, "id is missing"),
        ({"id": "urn:a", "attribute": []}, "has no attribute"),
        ({"id": "urn:a", "attributes": "x"}, "attributes must be a list"),
        ({"id": "urn:a", "attributes": ["x"]}, "must be a table"),
        ({"id": "urn:a", "attributes": [{"name": "a", "type": "text"}]}, "type must be one of"),
        ({"id": "urn:a", "attributes": [{"name": "a", "required": "yes"}]}, "required must be"),
        ({"id": "urn:a", "attributes": [{"name": "a", "type": "complex"}]}, "belong together"),
        ({"id": "urn:a", "attributes": [{"name": "a"}, {"name": "A"}]}, "twice"),
        (
            {
                "id": "urn:a",
                "attributes": [
                    {
                        "name": "a",
                        "subAttributes": [{"name": "b", "subAttributes": [{"name": "c"}]}],
                    }
                ],
            },
            "cannot be complex",
        ),
    ],
)
def test_a_schema_that_is_not_understood_is_refused(data: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        schema_from_data(data)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"name": "T", "schema": "urn:a"}, "endpoint is missing"),
        ({"name": "T", "endpoint": "/T", "schema": "urn:b"}, "there is no schema urn:b"),
        ({"name": "T", "endpoint": "/T", "schema": "urn:a", "extensions": []}, "has no extensions"),
    ],
)
def test_a_resource_type_that_is_not_understood_is_refused(
    data: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        resource_type_from_data(data, [schema_from_data({"id": "urn:a"})])


def test_a_registry_refuses_what_is_defined_twice() -> None:
    with pytest.raises(ValueError, match="share a name"):
        Registry((USER, USER))
    other = ResourceType("Odd", "/Odd", Schema(USER_URN, "Odd", (Attribute("x", Type.STRING),)))
    with pytest.raises(ValueError, match="two ways"):
        Registry((USER, other))
