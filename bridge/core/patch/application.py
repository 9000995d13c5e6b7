"""Applying PATCH operations to a document (RFC 7644 section 3.5.2).

Rule: every operation ends in a change of one target (attribute or sub-attribute); an object
without a path, an extension's URN as a path and keys that are paths are only ways to name several.
"""

from collections.abc import Sequence
from typing import Any

import attrs

from bridge.core import errors
from bridge.core.errors import InvalidPath, InvalidValue, PayloadTooLarge
from bridge.core.filters import FilterNode, parse_path
from bridge.core.members import MemberEdit, RemoveMatching, ReplaceMembers
from bridge.core.patch.entries import Change
from bridge.core.patch.membership import edit
from bridge.core.patch.operations import Op, PatchOperation
from bridge.core.patch.work import Work
from bridge.core.resources import Attributes
from bridge.core.schema.attributes import Schema, Type
from bridge.core.schema.normalize import check_whole, secret
from bridge.core.schema.replace import check_immutable
from bridge.core.schema.resource_types import ResourceType, Target
from bridge.core.schema.tolerance import LENIENT, Quirk, Tolerance
from bridge.core.schema.values import ValueReader
from bridge.core.secret import Secret

WHOLE_EDITS_LIMIT = 10
"""Most operations of one PATCH that replace all members, or go through them with a filter."""


@attrs.frozen
class Patched:
    """A document after a PATCH, and what it means beside the document.

    `attributes` is the very value that was given when nothing in it changed. `edits` are to be
    done in order. `password` is None when none was set. `tolerated` as in `Incoming`.
    """

    attributes: Attributes
    edits: tuple[MemberEdit, ...] = ()
    password: Secret | None = None
    tolerated: frozenset[Quirk] = frozenset()


def apply(
    rtype: ResourceType,
    attributes: Attributes,
    operations: Sequence[PatchOperation],
    tolerance: Tolerance = LENIENT,
) -> Patched:
    """Return `attributes` after the operations, in order; the result is validated as a whole.

    Raises InvalidPath, InvalidFilter, InvalidValue, NoTarget, errors.Mutability, or
    PayloadTooLarge where it would cost too much.
    """
    patch = _Patch(rtype, ValueReader(tolerance), dict(attributes))
    for operation in operations:
        patch.run(operation)
    after: Attributes = patch.document
    if after == attributes:
        after = attributes
    else:
        _check(rtype, attributes, after)
    return Patched(after, tuple(patch.edits), patch.password, frozenset(patch.values.tolerated))


def _check(rtype: ResourceType, before: Attributes, after: Attributes) -> None:
    for target in rtype.required:
        if target.values(before) and not target.values(after):
            raise errors.Mutability(f"{target} is required and cannot be removed.")
    check_immutable(rtype, before, after)
    check_whole(rtype, after)


@attrs.define
class _Patch:
    rtype: ResourceType
    values: ValueReader
    document: dict[str, Any]
    edits: list[MemberEdit] = attrs.field(factory=list)
    password: Secret | None = None
    work: Work = attrs.field(factory=Work)

    def run(self, operation: PatchOperation) -> None:
        if operation.path is None:
            self._each(operation.op, operation.value)
        else:
            self._at(operation.path, operation.op, operation.value, by_key=False)

    def _each(self, op: Op, value: Any, prefix: str = "") -> None:
        if not isinstance(value, dict):
            raise InvalidValue("Without an attribute in the path the value must be an object.")
        for key, item in value.items():
            self._at(prefix + key, op, item, by_key=True)

    def _at(self, path: str, op: Op, value: Any, *, by_key: bool) -> None:
        """Apply to a path. As a key of an object it may be unknown or readOnly: it is ignored."""
        target, node = self.rtype.target(path), None
        if target is None:
            if schema := self.rtype.extension(path):
                self._extension(schema, op, value)
                return
            if self.rtype.is_base(path):
                self.values.tolerate(Quirk.NESTED_CORE, f"Leave out the path {path}.")
                self._each(op, value)
                return
            target, node = self._resolve(path, by_key=by_key)
        if target is None:
            return
        if target.extension and not path.lower().startswith(target.extension.lower()):
            self.values.tolerate(Quirk.SHORT_NAME, f"Write {target} for {path}.")
        if target.attribute.read_only or target.leaf.read_only:
            if not by_key:
                raise errors.Mutability(f"{target} is set by the service provider only.")
            return
        self._change(target, node, op, value)

    def _resolve(self, path: str, *, by_key: bool) -> tuple[Target | None, FilterNode | None]:
        parsed = parse_path(path) if not by_key or "[" in path else None
        name = str(parsed.attribute) if parsed else path
        target = self.rtype.target(name)
        if target is None:
            self._unknown(name, by_key=by_key)
            return None, None
        if parsed is None or parsed.filter is None:
            raise InvalidPath(f"{path} is not the path of an attribute.")
        if not target.attribute.multi_valued or target.sub is not None:
            raise InvalidPath(f"{target} has no entries to filter in [ ].")
        if parsed.sub is not None:
            sub = target.attribute.sub(parsed.sub)
            if sub is None:
                raise InvalidPath(f"{target} has no sub-attribute {parsed.sub}.")
            target = attrs.evolve(target, sub=sub)
        return target, parsed.filter

    def _unknown(self, name: str, *, by_key: bool) -> None:
        detail = f"{self.rtype.name} has no attribute {name!r}."
        if ":" in name and not self._in_known_schema(name):
            self.values.tolerate_or(InvalidPath, Quirk.UNKNOWN_EXTENSION, detail)
        elif by_key:
            self.values.tolerate_or(InvalidPath, Quirk.UNKNOWN_ATTRIBUTE, detail)
        else:
            raise InvalidPath(detail)

    def _in_known_schema(self, name: str) -> bool:
        urns = (self.rtype.schema.id, *(e.schema.id for e in self.rtype.extensions))
        return name.lower().startswith(tuple(urn.lower() for urn in urns))

    def _extension(self, schema: Schema, op: Op, value: Any) -> None:
        if op is Op.REMOVE or value is None:
            self.document.pop(schema.id, None)
        else:
            self._each(op, value, f"{schema.id}:")

    def _change(self, target: Target, node: FilterNode | None, op: Op, raw: Any) -> None:
        attribute = target.attribute
        if attribute.name == "schemas":
            if op is Op.REMOVE:
                raise errors.Mutability("schemas follows from the attributes.")
        elif attribute.name == "members" and self.rtype.has_members:
            change = edit(self.values, target, node, op, raw)
            self.edits += [change] if change else []
            self._check_edits()
        elif attribute.name == "password" and self.rtype.has_password:
            if op is not Op.REMOVE:  # none is kept here that could be removed
                self.password = secret(self.values, attribute, raw) or self.password
        else:
            self._put(target, self._changed(Change(self.values, target, op, raw), node))

    def _check_edits(self) -> None:
        whole = sum(isinstance(each, ReplaceMembers | RemoveMatching) for each in self.edits)
        if whole > WHOLE_EDITS_LIMIT:
            raise PayloadTooLarge(
                f"A PATCH may go through all members at most {WHOLE_EDITS_LIMIT} times."
            )

    def _changed(self, change: Change, node: FilterNode | None) -> Any:
        entries = change.target.entries(self.document)
        self.work.look(entries, change.raw, node)
        if change.attribute.multi_valued:
            return change.entries(entries) if node is None else change.entries_where(node, entries)
        if change.attribute.type is Type.COMPLEX:
            return change.entry(entries[0] if entries else {})
        return change.value()

    def _put(self, target: Target, value: Any) -> None:
        holder, name = self.document, target.attribute.name
        if target.extension:
            holder = dict(holder.get(target.extension, {}))
        if value is None:
            holder.pop(name, None)
        else:
            holder[name] = value
        if target.extension:
            self.document.pop(target.extension, None)
            if holder:
                self.document[target.extension] = holder
