"""Changes of values that have parts: complex attributes, and the entries of multi-valued ones.

Rule: every function returns new values and leaves its arguments alone; None is unassigned.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from bridge.core.errors import InvalidValue, NoTarget
from bridge.core.filters import (
    And,
    BoundFilter,
    Compare,
    Comparison,
    FilterNode,
    bind_within,
    evaluate_entry,
)
from bridge.core.patch.operations import Op
from bridge.core.schema.attributes import Attribute, Type
from bridge.core.schema.keys import comparison_key
from bridge.core.schema.resource_types import Target
from bridge.core.schema.tolerance import Quirk
from bridge.core.schema.values import ValueReader, distinct, require

Entry = Mapping[str, Any]
Parts = frozenset[tuple[str, str | None]]


@attrs.frozen
class Change:
    """One operation on one attribute, or on its sub-attribute, as `target` says.

    `raw` is the operation's value as the client sent it.
    """

    values: ValueReader
    target: Target
    op: Op
    raw: Any

    @property
    def attribute(self) -> Attribute:
        """The attribute that has the entries."""
        return self.target.attribute

    @property
    def clears(self) -> bool:
        """True when nothing is to be left: null and "" clear as a remove does (Entra ID, Okta)."""
        return self.op is Op.REMOVE or self.raw in (None, "", [])

    def value(self) -> Any:
        """Return what an attribute without parts becomes."""
        return None if self.clears else self.values.read(self.attribute, self.raw)

    def entry(self, entry: Entry) -> dict[str, Any] | None:
        """Return what a complex value becomes.

        A changed `value` takes the `$ref` with it: that was the address of the old one.
        """
        if self.target.sub is not None:
            result = self._with_part(entry, self.target.sub, self.raw)
        elif self.clears:
            return None
        else:
            result = self._merged(entry)
        if result.get("value") != entry.get("value") and result.get("$ref") == entry.get("$ref"):
            result.pop("$ref", None)
        return result or None

    def entries(self, entries: Sequence[Any]) -> list[Any] | None:
        """Return what the entries become, without a filter.

        A sub-attribute changes in every entry, and in a new one if there is none.
        """
        if self.target.sub is not None:
            found = entries or [{}]
            return self.values.settled(
                self.attribute, [self.entry(entry) for entry in found], range(len(found))
            )
        if self.op is Op.REMOVE:
            return self._without_named(entries)
        new = self.values.read(self.attribute, self.raw) or []
        if self.op is Op.REPLACE:
            return new or None
        every = [*entries, *new]
        return self.values.settled(self.attribute, every, range(len(entries), len(every)))

    def entries_where(self, node: FilterNode, entries: Sequence[Any]) -> list[Any] | None:
        """Return what the entries become when those that fulfil a filter change.

        An add that matches nothing makes the entry that the filter describes (Entra ID relies on
        it). Raises NoTarget.
        """
        bound = bind_within(node, attrs.evolve(self.target, sub=None), self.values)
        matched = [index for index, entry in enumerate(entries) if evaluate_entry(bound, entry)]
        if not matched:
            if self.clears or self.op is Op.REPLACE:
                quirk = Quirk.REMOVE_NOTHING if self.clears else Quirk.REPLACE_CREATES
                self.values.tolerate_or(NoTarget, quirk, "The path's filter matches nothing.")
            if self.clears:
                return list(entries) or None
            return self._with_described(node, bound, entries)
        change, result = self._change_of_one(), list(entries)
        for index in matched:
            result[index] = change(entries[index])
        return self.values.settled(self.attribute, result, matched)

    def _with_described(
        self, node: FilterNode, bound: BoundFilter, entries: Sequence[Any]
    ) -> list[Any] | None:
        created = self._change_of_one()(self._described(node))
        if created is None or not evaluate_entry(bound, created):
            raise InvalidValue("The value contradicts the filter of its path.")
        return self.values.settled(self.attribute, [*entries, created], [len(entries)])

    def _change_of_one(self) -> Callable[[Any], Any]:
        if self.target.sub is not None or self.clears:
            return self.entry
        if self.op is Op.ADD and self.attribute.type is Type.COMPLEX:
            return self.entry
        value = self.values.read_one(self.attribute, self._single(), partial=False)
        return lambda _: value

    def _single(self) -> Any:
        if not isinstance(self.raw, list):
            return self.raw
        name = self.attribute.name
        if len(self.raw) != 1:
            raise InvalidValue(f"{name} takes one value here, not {len(self.raw)}.")
        self.values.tolerate(Quirk.LIST_AS_SINGLE, f"{name} takes one value here, not a list.")
        return self.raw[0]

    def _merged(self, entry: Entry) -> dict[str, Any]:
        raw = self._single()
        if not isinstance(raw, dict):
            raw = self.values.read_one(self.attribute, raw, partial=True) or {}
        result = dict(entry)
        for key, item in raw.items():
            sub = self.values.sub_attribute(self.attribute, key)
            if sub is not None and not sub.read_only:
                result = self._with_part(result, sub, item)
        require(result, self.attribute)
        return result

    def _with_part(self, entry: Entry, sub: Attribute, raw: Any) -> dict[str, Any]:
        value = None
        if self.op is not Op.REMOVE:
            value = self.values.read(sub, raw, self.attribute.name)
        if self.op is Op.ADD and sub.multi_valued:
            value = list(distinct(sub, [*entry.get(sub.name, ()), *(value or ())]).values()) or None
        if value is not None:
            return {**entry, sub.name: value}
        return {name: part for name, part in entry.items() if name != sub.name}

    def _without_named(self, entries: Sequence[Any]) -> list[Any] | None:
        if self.raw is None or Quirk.REMOVE_NAMED not in self.values.tolerance.allowed:
            return None
        self.values.tolerated.add(Quirk.REMOVE_NAMED)
        items = self.raw if isinstance(self.raw, list) else [self.raw]
        read = [self.values.read_one(self.attribute, item, partial=True) for item in items]
        named: dict[frozenset[str], set[Parts]] = {}
        for parts in (_parts(self.attribute, entry) for entry in read if entry is not None):
            named.setdefault(frozenset(parts), set()).add(frozenset(parts.items()))
        left = [e for e in entries if not _is_named(_parts(self.attribute, e), named)]
        return left or None

    def _described(self, node: FilterNode) -> dict[str, Any]:
        """Return the entry that a filter of `eq` terms joined by `and` describes; else NoTarget."""
        entry = {}
        for term in _conjunction(node):
            if not isinstance(term, Compare) or term.op is not Comparison.EQ:
                break
            sub = self.attribute.sub(term.path.text)
            raw = str(term.value) if isinstance(term.value, str) else term.value
            value = self.values.read(sub, raw, self.attribute.name) if sub else None
            if sub is None or sub.read_only or value is None:
                break
            entry[sub.name] = value
        else:
            return entry
        raise NoTarget("The path's filter matches nothing, and describes no new value.")


def _parts(attribute: Attribute, entry: Any) -> dict[str, str]:
    """Return the parts of an entry as texts that are equal where the parts are."""
    if not isinstance(entry, dict):
        return {"value": repr(comparison_key(attribute, entry))}
    subs = attribute.by_name
    return {name: repr(comparison_key(subs[name], part)) for name, part in entry.items()}


def _is_named(parts: Mapping[str, str], named: Mapping[frozenset[str], set[Parts]]) -> bool:
    """Return whether an entry has all parts of a named one; `named` is keyed by their names."""
    return any(
        frozenset((name, parts.get(name)) for name in names) in wanted
        for names, wanted in named.items()
    )


def _conjunction(node: FilterNode) -> Iterator[FilterNode]:
    if isinstance(node, And):
        for term in node.terms:
            yield from _conjunction(term)
    else:
        yield node
