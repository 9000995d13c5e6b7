"""Reading a whole resource as a client sent it, by POST or PUT (RFC 7644 sections 3.3, 3.5.1).

Rule: what comes out has canonical names and valid values only. A password leaves the document at
once; members of a group never enter it.
"""

import re
from collections.abc import Mapping
from typing import Any

import attrs

from bridge.core.errors import InvalidSyntax, InvalidValue
from bridge.core.resources import Attributes
from bridge.core.schema.attributes import Attribute
from bridge.core.schema.resource_types import ResourceType, Target
from bridge.core.schema.tolerance import LENIENT, Quirk, Tolerance
from bridge.core.schema.values import UNSTORABLE, ValueReader
from bridge.core.secret import Secret

KEY_LIMIT_CHARACTERS = 512
"""Longest value of an indexed attribute (names, e-mail addresses, externalId): a PostgreSQL index
entry holds 2,704 bytes."""

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]"
)

_OTHER_MESSAGE = re.compile(r"urn:ietf:params:scim:(schemas:core|api):", re.IGNORECASE)


@attrs.frozen
class Incoming:
    """A resource as a client wants it.

    `member_ids` is None when the body says nothing about members. `password` is None when it sets
    none. `tolerated` names the departures from the RFC that were accepted.
    """

    attributes: Attributes
    member_ids: tuple[str, ...] | None = None
    password: Secret | None = None
    tolerated: frozenset[Quirk] = frozenset()


def normalize(
    rtype: ResourceType, body: Mapping[str, Any], tolerance: Tolerance = LENIENT
) -> Incoming:
    """Return what a POST or PUT body says.

    Raises InvalidSyntax (schemas, a name given twice) or InvalidValue (all else).
    """
    reader = _BodyReader(rtype, ValueReader(tolerance))
    reader.read(body)
    if "schemas" not in reader.seen:
        reader.check_schemas(None)
    check_whole(rtype, reader.document)
    return Incoming(
        reader.document, reader.member_ids, reader.password, frozenset(reader.values.tolerated)
    )


@attrs.define
class _BodyReader:
    rtype: ResourceType
    values: ValueReader
    document: dict[str, Any] = attrs.field(factory=dict)
    member_ids: tuple[str, ...] | None = None
    password: Secret | None = None
    seen: set[str] = attrs.field(factory=set)

    def read(self, body: Mapping[str, Any]) -> None:
        target_of = self.rtype.target
        for key, raw in body.items():
            target = target_of(key)
            if target is None:
                self._read_schema_object(key, raw)
            else:
                self._read_target(target, key, raw)

    def _read_target(self, target: Target, key: str, raw: Any) -> None:
        attribute, sub = target.attribute, target.sub
        if target.extension and not key.lower().startswith(target.extension.lower()):
            self.values.tolerate(
                Quirk.SHORT_NAME, f"{key} belongs into an object {target.extension!r}."
            )
        self._once(str(target) if sub or target.extension else attribute.name)
        if attribute.name == "schemas":
            self.check_schemas(raw)
        elif attribute.read_only or (sub and sub.read_only):
            return
        elif sub and attribute.multi_valued:
            raise InvalidValue(f"{key} names a part of each value; send the list.")
        elif attribute.name == "members" and self.rtype.has_members:
            self.member_ids = member_ids(self.values, attribute, raw)
        elif attribute.name == "password" and self.rtype.has_password:
            self.password = secret(self.values, attribute, raw)
        else:
            self._place(target, raw)

    def _place(self, target: Target, raw: Any) -> None:
        attribute, sub = target.attribute, target.sub
        value = self.values.read(sub or attribute, raw, attribute.name if sub else "")
        if value is None:
            return
        holder = self.document
        if target.extension:
            holder = holder.setdefault(target.extension, {})
        if sub:
            value = {**holder.get(attribute.name, {}), sub.name: value}
        holder[attribute.name] = value

    def _once(self, name: str) -> None:
        if name in self.seen:
            raise InvalidSyntax(f"{name} is given twice, spelled differently.")
        self.seen.add(name)

    def _read_schema_object(self, key: str, raw: Any) -> None:
        extension = self.rtype.extension(key)
        is_base = extension is None and self.rtype.is_base(key)
        if extension is None and not is_base:
            self._unknown(key)
            return
        if raw is None:
            return
        if not isinstance(raw, dict):
            raise InvalidValue(f"{key} must be an object.")
        if extension is None:
            self.values.tolerate(Quirk.NESTED_CORE, f"Attributes of {key} belong to the top level.")
            self.read(raw)
            return
        for name, item in raw.items():
            path = f"{extension.id}:{name}"
            target = self.rtype.target(path)
            if target is None:
                self._unknown(name)
            else:
                self._read_target(target, path, item)

    def _unknown(self, key: str) -> None:
        quirk = Quirk.UNKNOWN_EXTENSION if ":" in key else Quirk.UNKNOWN_ATTRIBUTE
        self.values.tolerate(quirk, f"{self.rtype.name} has no attribute or extension {key!r}.")

    def check_schemas(self, raw: Any) -> None:
        """Check `schemas` (RFC 7643 section 3): the base URN is there, and nothing unknown."""
        base = self.rtype.schema.id
        if not raw:
            detail = f'The body needs "schemas": ["{base}"].'
            self.values.tolerate_or(InvalidSyntax, Quirk.NO_SCHEMAS, detail)
            return
        if not isinstance(raw, list) or not all(isinstance(urn, str) for urn in raw):
            raise InvalidSyntax('"schemas" must be a list of URNs.')
        has_base = any(map(self.rtype.is_base, raw))
        if not has_base and any(_OTHER_MESSAGE.match(urn) for urn in raw):
            raise InvalidSyntax(f'"schemas" must hold {base}.')
        known = [u for u in raw if self.rtype.is_base(u) or self.rtype.extension(u)]
        if not has_base or len(known) < len(raw) or len({u.lower() for u in raw}) < len(raw):
            self.values.tolerate_or(
                InvalidSyntax,
                Quirk.LOOSE_SCHEMAS,
                f'"schemas" must hold {base}, and each URN that is known and used once.',
            )


def member_ids(values: ValueReader, members: Attribute, raw: Any) -> tuple[str, ...]:
    """Return the ids in a list of members, each once, in order.

    Read by hand: a list of 100,000 members is not worth 100,000 checked objects. `display`, `type`
    and `$ref` are only hints (the id says it all), so they are not even looked at.
    """
    if raw is None or raw == "":
        return ()
    if not isinstance(raw, list):
        values.tolerate(Quirk.SINGLE_AS_LIST, "members must be a list.")
        raw = [raw]
    ids: dict[str, None] = {}
    for entry in raw:
        found = entry.get("value") if isinstance(entry, dict) else None
        if type(found) is not str or not found:
            found = _odd_member(values, members, entry)
        ids[found] = None
    if UNSTORABLE.search("".join(ids)):
        raise InvalidValue("members has an id with a character that cannot be stored.")
    return tuple(ids)


def _odd_member(values: ValueReader, members: Attribute, entry: Any) -> str:
    read = values.read_one(members, entry, partial=True)
    if not read or "value" not in read:
        raise InvalidValue('Each of members must be an object such as {"value": "<id>"}.')
    return str(read["value"])


def secret(values: ValueReader, attribute: Attribute, raw: Any) -> Secret | None:
    """Return a password; None for null and "", which set none."""
    text = values.read(attribute, raw)
    return None if text is None else Secret(text)


def check_whole(rtype: ResourceType, document: Attributes) -> None:
    """Check what only a whole document shows: required attributes, names, lengths of keys.

    Raises InvalidValue.
    """
    for target in rtype.required:
        held = document.get(target.extension) if target.extension else document
        if held is None:
            if not rtype.requires(target.extension):
                continue
            held = {}
        if target.attribute.name not in held:
            raise InvalidValue(f"{target} is required.")
    if rtype.name_attribute:
        _check_name(rtype.name_attribute.name, document)
    for path, target in rtype.keyed:
        for value in target.values(document):
            if isinstance(value, str) and len(value) > KEY_LIMIT_CHARACTERS:
                raise InvalidValue(f"{path} is longer than {KEY_LIMIT_CHARACTERS} characters.")


def _check_name(name: str, document: Attributes) -> None:
    text = document.get(name)
    if text is None:
        return
    if not any(c.isprintable() and c != " " for c in text):
        raise InvalidValue(f"{name} must not be blank.")
    if _CONTROL.search(text):
        raise InvalidValue(f"{name} must not hold control characters or text direction marks.")
