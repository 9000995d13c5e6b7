"""Laws of search, for any filter: what SQL finds is what `evaluate` says of the document shown."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bridge.core.changes import Cause
from bridge.core.errors import InvalidValue, Uniqueness
from bridge.core.filters import (
    And,
    AttributePath,
    Compare,
    Comparison,
    FilterNode,
    Not,
    Or,
    Present,
    Within,
    bind,
    evaluate,
)
from bridge.core.resources import Resource
from bridge.core.schema import (
    COMMON,
    GROUP,
    USER,
    Attribute,
    Extension,
    Mutability,
    Registry,
    ResourceType,
    Schema,
    Target,
    Type,
    name_key,
)
from bridge.core.schema import Uniqueness as Among
from bridge.core.schema.values import date_time
from bridge.journal import members, queries, record
from bridge.journal.store import Journal, Transaction
from bridge.scim.representation import Shape

START = datetime(2026, 1, 1, tzinfo=UTC)
BASE = "https://bridge.example/scim/v2"

# Beginnings, ends and other cases of each other; wildcards, quotes, and characters past all others.
WORDS = ["a", "A", "ab", "aB", "ba", "abé", "ABÉ", "a\U0010ffff", "\U0010ffff", "é", "É", "e\u0301"]
WORDS += [
    "%",
    "a%",
    "_",
    "a_b",
    "'",
    '"',
    "\\",
    "ß",
    "ss",
    "\u017f",
    "s",
    "\u212a",
    "k",
    " a",
    "\u0131",
    "İ",
]
TEXT = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
DATES = st.integers(0, 10**12).map(lambda ms: (START + timedelta(milliseconds=ms)).isoformat())
SCALAR: dict[Type, st.SearchStrategy[Any]] = {
    Type.STRING: TEXT,
    Type.REFERENCE: TEXT,
    Type.BOOLEAN: st.booleans(),
    Type.INTEGER: st.integers(-3, 3) | st.just(2**63 - 1) | st.just(-(2**63)),
    Type.DECIMAL: st.integers(-8, 8).map(lambda n: n / 4),
    Type.DATE_TIME: DATES.map(date_time),
    Type.BINARY: st.sampled_from(["YQ==", "Yg==", "yq=="]),
}

_PARTS = (
    Attribute("value"),
    Attribute("exact", case_exact=True),
    Attribute("type"),
    Attribute("primary", Type.BOOLEAN),
    Attribute("size", Type.INTEGER),
    Attribute("tags", multi_valued=True),
)
THING = ResourceType(
    "Thing",
    "/Things",
    Schema(
        "urn:example:Thing",
        "Thing",
        (
            Attribute("label", required=True, uniqueness=Among.SERVER),
            *(Attribute(kind.value, kind) for kind in SCALAR),
            *(Attribute(f"{kind.value}s", kind, multi_valued=True) for kind in SCALAR),
            Attribute("exact", case_exact=True),
            Attribute("displayName"),
            Attribute("active", Type.BOOLEAN),
            Attribute("code", Type.INTEGER, uniqueness=Among.SERVER),
            Attribute("marks", multi_valued=True, uniqueness=Among.SERVER),
            Attribute("one", Type.COMPLEX, sub_attributes=_PARTS),
            Attribute("many", Type.COMPLEX, multi_valued=True, sub_attributes=_PARTS),
            Attribute("emails", Type.COMPLEX, multi_valued=True, sub_attributes=_PARTS),
        ),
    ),
    extensions=(
        Extension(
            Schema(
                "urn:example:2.0:Extra",
                "Extra",
                (Attribute("note"), Attribute("boss", Type.COMPLEX, sub_attributes=_PARTS)),
            )
        ),
    ),
)


def values(attribute: Attribute) -> st.SearchStrategy[Any]:
    """Values of an attribute as a stored document has them: nothing empty."""
    complex_ = attribute.type is Type.COMPLEX
    one = documents(attribute.sub_attributes).filter(bool) if complex_ else SCALAR[attribute.type]
    return st.lists(one, min_size=1, max_size=3) if attribute.multi_valued else one


def documents(attributes: Sequence[Attribute]) -> st.SearchStrategy[dict[str, Any]]:
    kept = [a for a in attributes if a not in COMMON and a.name not in ("groups", "members")]
    return st.fixed_dictionaries(
        {a.name: values(a) for a in kept if a.required},
        optional={a.name: values(a) for a in kept if not a.required},
    )


def whole(rtype: ResourceType) -> st.SearchStrategy[dict[str, Any]]:
    extensions = {
        e.schema.id: documents(e.schema.attributes).filter(bool) for e in rtype.extensions
    }
    return st.builds(
        lambda base, more, external: base | more | external,
        documents(rtype.schema.attributes),
        st.fixed_dictionaries({}, optional=extensions),
        st.fixed_dictionaries({}, optional={"externalId": TEXT}),
    )


def targets(rtype: ResourceType) -> list[Target]:
    places = [
        ("", rtype.attributes),
        *((e.schema.id, e.schema.attributes) for e in rtype.extensions),
    ]
    return [
        Target(attribute, sub, urn)
        for urn, attributes in places
        for attribute in attributes
        for sub in (None, *attribute.sub_attributes)
        if attribute.mutability is not Mutability.WRITE_ONLY
    ]


SHOWN = st.sampled_from(["User", "direct", "u0", "g0", 'W/"1"', BASE, "urn:example:2.0:Extra", ""])
EQUALITY = st.sampled_from([Comparison.EQ, Comparison.NE])
PARTS = st.sampled_from([Comparison.CO, Comparison.SW, Comparison.EW])
ORDER = st.sampled_from([Comparison.GT, Comparison.GE, Comparison.LT, Comparison.LE])


def comparisons(target: Target, path: str) -> st.SearchStrategy[FilterNode]:
    """Comparisons that RFC 7644 allows for the attribute's type."""
    leaf, named = target.leaf, st.just(AttributePath(path))
    if leaf.type is Type.COMPLEX and (value := leaf.sub("value")):
        leaf = value
    present = st.builds(Present, named) | st.builds(Compare, named, EQUALITY, st.none())
    match leaf.type:
        case Type.COMPLEX:
            return present
        case Type.BOOLEAN:
            return present | st.builds(Compare, named, EQUALITY, st.booleans())
        case Type.INTEGER | Type.DECIMAL:
            number = SCALAR[leaf.type] | SCALAR[Type.DECIMAL] | st.just(10**18)
            return present | st.builds(Compare, named, EQUALITY | ORDER, number)
        case Type.DATE_TIME:
            exact = st.builds(Compare, named, EQUALITY | ORDER, DATES)
            parts = st.sampled_from(["2026", "-01-01T", "00Z", "00:00:00.001Z", "x", ""])
            return present | exact | st.builds(Compare, named, PARTS, parts)
        case Type.BINARY:
            return present | st.builds(Compare, named, EQUALITY | PARTS, SCALAR[leaf.type])
    return present | st.builds(Compare, named, EQUALITY | PARTS | ORDER, TEXT | SHOWN)


def combined(inside: st.SearchStrategy[FilterNode]) -> st.SearchStrategy[FilterNode]:
    terms = st.lists(inside, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, inside) | st.builds(And, terms) | st.builds(Or, terms)


def filters(rtype: ResourceType) -> st.SearchStrategy[FilterNode]:
    def terms(target: Target) -> st.SearchStrategy[FilterNode]:
        plain = comparisons(target, str(target))
        attribute = target.attribute
        has_entries = attribute.multi_valued or attribute.type is Type.COMPLEX
        if target.sub is not None or target.extension or not has_entries:
            return plain
        parts = [comparisons(Target(attribute, s), s.name) for s in attribute.sub_attributes]
        entry = st.recursive(
            st.one_of(parts or [comparisons(target, "value")]), combined, max_leaves=3
        )
        return plain | st.builds(Within, st.just(AttributePath(str(target))), entry)

    every = st.one_of([terms(target) for target in targets(rtype)])
    return st.recursive(every, combined, max_leaves=4)


class _Undo(Exception):
    """Takes an example back."""


REGISTRY = Registry((USER, GROUP, THING))
DOCUMENTS = {t.name: st.lists(whole(t), max_size=3) for t in REGISTRY.resource_types}
FILTERS = {t.name: filters(t) for t in REGISTRY.resource_types}
SHAPES = {t.name: Shape(t, REGISTRY, BASE) for t in REGISTRY.resource_types}
ADDRESSES = {t.name: f"{BASE}{t.endpoint}/" for t in REGISTRY.resource_types}


def seen(tx: Transaction, rtype: ResourceType, resource: Resource) -> dict[str, Any]:
    """The document as a client sees it, put together as the SCIM front end does."""
    entity, shape = resource.entity, SHAPES[rtype.name]
    document = {
        "schemas": rtype.schemas(resource.attributes),
        "id": entity.id,
        **resource.attributes,
        "meta": shape.meta(resource),
    }
    if shape.has_groups:
        rows = members.groups_of(tx, entity.organization, [entity.id])[entity.id]
        document["groups"] = [shape.group(row) for row in rows]
    if rtype.has_members:
        held = members.of(tx, entity.organization, entity.id)
        document["members"] = [shape.named_member(row) for row in held]
    return document


def test_every_operator_agrees_on_every_two_words_wherever_they_are_kept(journal: Journal) -> None:
    paths = ["label", "externalId", "string", "exact", "strings", "many.value", "emails.value"]
    organization = uuid.uuid4().hex
    documents = [
        {
            "label": word,
            **dict.fromkeys(["externalId", "string", "exact"], word),
            "strings": [word],
            "many": [{"value": word}],
            "emails": [{"value": word}],
        }
        for word in {name_key(word): word for word in WORDS}.values()
    ]
    cause = Cause("connection:law", "request", START)

    def unit(tx: Transaction) -> int:
        made = [
            record.create(tx, THING, organization, f"t{number:02}", document, (), cause)
            for number, document in enumerate(documents)
        ]
        matched = 0
        for path, op, word in product(paths, Comparison, [*WORDS, ""]):
            node = bind(Compare(AttributePath(path), op, word), THING)
            found = queries.search(tx, THING, organization, node, start=0, count=99)
            expected = [r.entity.id for r in made if evaluate(node, r.attributes)]
            assert [r.entity.id for r in found.resources] == expected, str(node)
            matched += len(expected)
        return matched

    assert journal.write_now(unit) > len(documents) * len(paths)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["User", "Group", "Thing"])
@settings(max_examples=200, phases=set(Phase) - {Phase.explain})
@given(data=st.data())
def test_sql_finds_what_evaluation_says(journal: Journal, name: str, data: st.DataObject) -> None:
    rtype = REGISTRY.by_name(name)
    assert rtype is not None
    around = {"User", "Group", name} - ({"User", "Group"} if name == "Thing" else set())
    held = {kind: data.draw(DOCUMENTS[kind], label=kind) for kind in sorted(around)}
    inside = data.draw(st.sets(st.integers(0, 4)), label="members")
    node = bind(data.draw(FILTERS[name], label="filter"), rtype)
    sort = data.draw(st.sampled_from(targets(rtype)), label="sort")

    def unit(tx: Transaction) -> None:
        organization = uuid.uuid4().hex
        made = _made(tx, organization, held, inside)
        expected = [
            r.entity.id for r in made if _is(r, rtype) and evaluate(node, seen(tx, rtype, r))
        ]
        found = queries.search(tx, rtype, organization, node, start=0, count=9, addresses=ADDRESSES)
        assert [r.entity.id for r in found.resources] == sorted(expected)
        assert found.total == len(expected)
        try:
            ordered = queries.search(
                tx, rtype, organization, node, start=0, count=9, sort=sort, addresses=ADDRESSES
            )
        except InvalidValue:
            pass
        else:
            assert sorted(r.entity.id for r in ordered.resources) == sorted(expected)
        raise _Undo

    with pytest.raises(_Undo):
        journal.write_now(unit)


def _is(resource: Resource, rtype: ResourceType) -> bool:
    return resource.entity.type == rtype.name


def _made(
    tx: Transaction, organization: str, held: dict[str, list[dict[str, Any]]], inside: set[int]
) -> list[Resource]:
    made: list[Resource] = []
    for rtype in REGISTRY.resource_types:
        for number, document in enumerate(held.get(rtype.name, [])):
            users = [r.entity.id for r in made if _is(r, USER)]
            possible = users + [r.entity.id for r in made if _is(r, GROUP)]
            wanted = [i for n, i in enumerate(possible) if n in inside] if rtype is GROUP else []
            new_id = f"{rtype.name[0].lower()}{number}"
            at = START + timedelta(microseconds=number * 1500)
            cause = Cause("connection:law", "request", at)
            try:
                made.append(record.create(tx, rtype, organization, new_id, document, wanted, cause))
            except Uniqueness:
                continue
    return made
