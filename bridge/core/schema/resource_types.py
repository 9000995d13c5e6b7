"""Resource types: a base schema, its extensions, and every path a client may name in them.

Rule: a name from outside becomes a `Target` here, by one dictionary look-up, and nowhere else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from bridge.core.resources import Attributes
from bridge.core.schema.attributes import (
    Attribute,
    Mutability,
    Returned,
    Schema,
    Type,
    Uniqueness,
)

COMMON = (
    Attribute(
        "schemas",
        Type.REFERENCE,
        multi_valued=True,
        required=True,
        case_exact=True,
        returned=Returned.ALWAYS,
        reference_types=("uri",),
        description="URNs of the schemas that this resource uses.",
    ),
    Attribute(
        "id",
        case_exact=True,
        mutability=Mutability.READ_ONLY,
        returned=Returned.ALWAYS,
        uniqueness=Uniqueness.SERVER,
        description="The service provider's own identifier; never changes, never reused.",
    ),
    Attribute(
        "externalId", case_exact=True, description="The client's own identifier of the resource."
    ),
    Attribute(
        "meta",
        Type.COMPLEX,
        mutability=Mutability.READ_ONLY,
        description="What the service provider records about the resource.",
        sub_attributes=tuple(
            Attribute(name, kind, case_exact=True, mutability=Mutability.READ_ONLY)
            for name, kind in (
                ("resourceType", Type.STRING),
                ("created", Type.DATE_TIME),
                ("lastModified", Type.DATE_TIME),
                ("location", Type.REFERENCE),
                ("version", Type.STRING),
            )
        ),
    ),
)
"""Attributes of every resource (RFC 7643 section 3.1); part of no schema's list."""


@attrs.frozen
class Target:
    """What a path names: an attribute, or one of its sub-attributes.

    `extension` is the URN of the extension that holds it, "" for base and common attributes.
    `str(target)` is the canonical path.
    """

    attribute: Attribute
    sub: Attribute | None = None
    extension: str = ""

    @property
    def leaf(self) -> Attribute:
        """The attribute at the end of the path."""
        return self.sub or self.attribute

    def entries(self, document: Attributes) -> Sequence[Any]:
        """Return what a document has of the attribute: its entries, or its one value."""
        holder = document.get(self.extension) if self.extension else document
        found = None if holder is None else holder.get(self.attribute.name)
        if found is None:
            return ()
        return found if self.attribute.multi_valued else (found,)

    def values(self, document: Attributes) -> list[Any]:
        """Return the values that a document has here; several where an attribute has several."""
        entries = self.entries(document)
        if self.sub is None:
            return list(entries)
        return [value for entry in entries for value in self.entry_values(entry)]

    def entry_values(self, entry: Any) -> list[Any]:
        """Return the values that one entry of the attribute has here."""
        if self.sub is None:
            return [entry]
        value = entry.get(self.sub.name)
        if value is None:
            return []
        return list(value) if self.sub.multi_valued else [value]

    def __str__(self) -> str:
        prefix = f"{self.extension}:" if self.extension else ""
        return f"{prefix}{self.attribute.name}{f'.{self.sub.name}' if self.sub else ''}"


@attrs.frozen
class Extension:
    """A schema that a resource type is extended by."""

    schema: Schema
    required: bool = False


@attrs.frozen(cache_hash=True)
class ResourceType:
    """A kind of resource: its name ("User"), endpoint ("/Users"), base schema and extensions.

    `name_attribute` is the first unique string of the base schema: userName, a group's displayName.
    `indexed` are further attributes to index: e-mail addresses, and unique ones (True). `keyed` are
    all whose values become keys of an index. `required` are those that clients must give, `kept`
    those that a replacement without them leaves as they are.
    """

    name: str
    endpoint: str
    schema: Schema
    extensions: tuple[Extension, ...] = ()
    description: str = ""

    attributes: tuple[Attribute, ...] = attrs.field(init=False, eq=False, repr=False)
    name_attribute: Attribute | None = attrs.field(init=False, eq=False, repr=False)
    has_members: bool = attrs.field(init=False, eq=False, repr=False)
    has_password: bool = attrs.field(init=False, eq=False, repr=False)
    required: tuple[Target, ...] = attrs.field(init=False, eq=False, repr=False)
    indexed: tuple[tuple[Target, bool], ...] = attrs.field(init=False, eq=False, repr=False)
    keyed: tuple[tuple[str, Target], ...] = attrs.field(init=False, eq=False, repr=False)
    kept: tuple[Target, ...] = attrs.field(init=False, eq=False, repr=False)
    immutable: tuple[Target, ...] = attrs.field(init=False, eq=False, repr=False)
    _targets: Mapping[str, Target] = attrs.field(init=False, eq=False, repr=False)
    _extensions: Mapping[str, Extension] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        common = {a.name.lower() for a in COMMON}
        own = tuple(a for a in self.schema.attributes if a.name.lower() not in common)
        targets = dict(_spellings(self.schema.id, (*COMMON, *own), self.extensions))
        members, password = self.schema.attribute("members"), self.schema.attribute("password")
        apart = [a for a in (members, password) if a]
        tops = (
            *(Target(a) for a in own if a not in apart),
            *(Target(a, None, e.schema.id) for e in self.extensions for a in e.schema.attributes),
        )
        unique = [t for t in tops if t.attribute.unique]
        name = next((t for t in unique if _is_name(t)), None)
        emails = targets.get("emails.value")
        indexed = [(emails, False)] if emails else []
        indexed += [(t, True) for t in unique if t is not name]
        keyed = [targets["externalId"], *([name] if name else []), *(t for t, _ in indexed)]
        for field, value in {
            "attributes": (*COMMON, *own),
            "name_attribute": name.attribute if name else None,
            "has_members": members is not None and members.multi_valued and bool(members.by_name),
            "has_password": password is not None and password.returned is Returned.NEVER,
            "required": tuple(t for t in tops if t.attribute.required and not t.leaf.read_only),
            "kept": tuple(t for t in tops if _is_kept(t)),
            "immutable": tuple(t for t in tops if t.attribute.mutability is Mutability.IMMUTABLE),
            "indexed": tuple(indexed),
            "keyed": tuple((str(t), t) for t in keyed),
            "_targets": {k.lower(): t for k, t in targets.items()} | targets,
            "_extensions": {e.schema.id.lower(): e for e in self.extensions},
        }.items():
            object.__setattr__(self, field, value)

    def target(self, path: str) -> Target | None:
        """Return what a path names, in any case; None when there is no such attribute.

        Understood: `name`, `name.givenName`, either with a schema URN and colon in front, an
        extension's attributes by their bare name where no base attribute has it, and a dot in
        place of the colon after an extension's URN (Microsoft's sample collections).
        """
        return self._targets.get(path) or self._targets.get(path.lower())

    def extension(self, urn: str) -> Schema | None:
        """Return the extension schema of this URN, in any case."""
        found = self._extensions.get(urn.lower())
        return found.schema if found else None

    def requires(self, urn: str) -> bool:
        """True for the URN of an extension that every resource of this type must have."""
        found = self._extensions.get(urn.lower())
        return found is not None and found.required

    def is_base(self, urn: str) -> bool:
        """True for the base schema's URN, in any case."""
        return urn.lower() == self.schema.id.lower()

    def schemas(self, attributes: Attributes) -> list[str]:
        """Return the `schemas` of a document: the base and the extensions that it has values of."""
        return [
            self.schema.id,
            *(e.schema.id for e in self.extensions if e.schema.id in attributes),
        ]


def _is_name(target: Target) -> bool:
    attribute = target.attribute
    in_base = not target.extension and not attribute.multi_valued
    return in_base and attribute.type is Type.STRING


def _is_kept(target: Target) -> bool:
    # Losing `active` by accident would suspend, or revive, a person (Delinea's published note).
    attribute = target.attribute
    kept = (Mutability.READ_ONLY, Mutability.IMMUTABLE)
    return attribute.mutability in kept or (not target.extension and attribute.name == "active")


def _spellings(
    base: str, attributes: Iterable[Attribute], extensions: Iterable[Extension]
) -> Iterator[tuple[str, Target]]:
    # Later spellings win, so the bare names of extension attributes come first.
    for extension in extensions:
        urn = extension.schema.id
        for target in _with_subs(extension.schema.attributes, urn):
            path = str(target)
            bare = path.removeprefix(f"{urn}:")
            yield bare, target
            yield f"{urn}.{bare}", target
            yield path, target
    for target in _with_subs(attributes):
        yield f"{base}:{target}", target
        yield str(target), target


def _with_subs(attributes: Iterable[Attribute], extension: str = "") -> Iterator[Target]:
    for attribute in attributes:
        yield Target(attribute, None, extension)
        for sub in attribute.sub_attributes:
            yield Target(attribute, sub, extension)


@attrs.frozen
class Registry:
    """Every resource type that is served."""

    resource_types: tuple[ResourceType, ...]
    _by_name: Mapping[str, ResourceType] = attrs.field(init=False, eq=False, repr=False)
    _by_endpoint: Mapping[str, ResourceType] = attrs.field(init=False, eq=False, repr=False)
    _schemas: Mapping[str, Schema] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        types = self.resource_types
        names = {t.name: t for t in types}
        endpoints = {t.endpoint: t for t in types}
        if len(names) != len(types) or len(endpoints) != len(types):
            raise ValueError("Two resource types share a name or an endpoint.")
        schemas: dict[str, Schema] = {}
        for schema in (s for t in types for s in (t.schema, *(e.schema for e in t.extensions))):
            if schemas.setdefault(schema.id.lower(), schema) != schema:
                raise ValueError(f"{schema.id} is defined in two ways.")
        object.__setattr__(self, "_by_name", names)
        object.__setattr__(self, "_by_endpoint", endpoints)
        object.__setattr__(self, "_schemas", schemas)

    @property
    def schemas(self) -> tuple[Schema, ...]:
        """Every schema of every resource type, once."""
        return tuple(self._schemas.values())

    def by_name(self, name: str) -> ResourceType | None:
        """Return the resource type of this name ("User")."""
        return self._by_name.get(name)

    def by_endpoint(self, endpoint: str) -> ResourceType | None:
        """Return the resource type served at this endpoint ("/Users")."""
        return self._by_endpoint.get(endpoint)

    def schema(self, urn: str) -> Schema | None:
        """Return the schema of this URN, in any case."""
        return self._schemas.get(urn.lower())
