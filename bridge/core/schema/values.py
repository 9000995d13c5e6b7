"""Reading one attribute's value as a client sent it (RFC 7643 section 2.3).

Rule: what comes out fits the attribute exactly, or the client gets an `InvalidValue`; null, `""`,
`[]` and `{}` come out as None, unassigned (RFC 7643 2.5; Okta and Entra ID clear with `""`).
"""

import binascii
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import attrs

from bridge.core.errors import InvalidSyntax, InvalidValue, ScimError
from bridge.core.schema.attributes import Attribute, Type
from bridge.core.schema.keys import comparison_key
from bridge.core.schema.tolerance import ALIASES, Quirk, Tolerance

INTEGER_LIMIT = 2**63
"""Integers are signed and of 64 bits, which JSON libraries and databases agree on."""

VALUES_LIMIT = 1_000
"""Most values of one multi-valued attribute; members of a group are not counted."""

BOOLEANS = {"true": True, "false": False}
"""Texts that stand for a boolean, in lower case."""

_UNASSIGNED: tuple[Any, ...] = (None, "", [], {})
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@attrs.define
class ValueReader:
    """Reads values under one tolerance and remembers in `tolerated` which quirks it met."""

    tolerance: Tolerance
    tolerated: set[Quirk] = attrs.field(factory=set)

    def tolerate(self, quirk: Quirk, detail: str) -> None:
        """Note a quirk; InvalidValue with `detail` when it is not allowed."""
        self.tolerate_or(InvalidValue, quirk, detail)

    def tolerate_or(self, error: type[ScimError], quirk: Quirk, detail: str) -> None:
        """Note a quirk; `error` with `detail` when it is not allowed."""
        if quirk not in self.tolerance.allowed:
            raise error(detail)
        self.tolerated.add(quirk)

    def read(
        self, attribute: Attribute, raw: Any, owner: str = "", *, partial: bool = False
    ) -> Any:
        """Return the value of one attribute, None when unassigned.

        `owner` is the name of the complex attribute around it. `partial` leaves out the check
        for required sub-attributes, for a value that is merged into another.
        """
        if raw in _UNASSIGNED:
            return None
        if attribute.multi_valued:
            return self._many(attribute, raw, owner, partial=partial)
        if type(raw) is list and attribute.type is Type.COMPLEX and len(raw) == 1:
            self.tolerate(Quirk.LIST_AS_SINGLE, f"{_name(attribute, owner)} takes one object.")
            return self.read(attribute, raw[0], owner, partial=partial)
        return self.read_one(attribute, raw, owner, partial=partial)

    def read_one(self, attribute: Attribute, raw: Any, owner: str = "", *, partial: bool) -> Any:
        """Return one value: of a single-valued attribute, or one entry of a multi-valued one."""
        if raw in _UNASSIGNED:
            return None
        if attribute.type is Type.COMPLEX:
            return self._complex(attribute, raw, owner, partial=partial)
        return _SIMPLE[attribute.type](self, attribute, raw, owner)

    def _many(self, attribute: Attribute, raw: Any, owner: str, *, partial: bool) -> Any:
        if type(raw) is not list:
            self.tolerate(Quirk.SINGLE_AS_LIST, f"{_name(attribute, owner)} must be a list.")
            raw = [raw]
        _check_count(attribute, raw)
        entries = [self.read_one(attribute, item, owner, partial=partial) for item in raw]
        return self.settled(attribute, entries, range(len(entries)))

    def settled(
        self, attribute: Attribute, entries: Sequence[Any], changed: Sequence[int]
    ) -> list[Any] | None:
        """Return entries in order: none empty, none twice, one primary at most.

        `changed` are the indexes of new entries: the first of them that is primary stays so.
        """
        kept = [entry for entry in entries if entry not in _UNASSIGNED]
        _check_count(attribute, kept)
        if len(kept) < 2:
            return kept or None
        primary = [identity(attribute, entries[i]) for i in changed if is_primary(entries[i])]
        if len(set(primary)) > 1:
            self.tolerate(Quirk.SEVERAL_PRIMARY, f"Only one of {attribute.name} may be primary.")
        found = distinct(attribute, kept)
        if primary:
            found = {key: not_primary(entry) for key, entry in found.items()}
            found[primary[0]] = {**found[primary[0]], "primary": True}
        return list(found.values())

    def _complex(
        self, attribute: Attribute, raw: Any, owner: str, *, partial: bool
    ) -> dict[str, Any] | None:
        if not isinstance(raw, dict):
            if isinstance(raw, list) or "value" not in attribute.by_name:
                raise InvalidValue(
                    f"{_name(attribute, owner)} must be an object, not {_shown(raw)}."
                )
            self.tolerate(Quirk.BARE_VALUE, f"{_name(attribute, owner)} must be an object.")
            raw = {"value": raw}
        result: dict[str, Any] = {}
        seen = set()
        for key, item in raw.items():
            sub = self.sub_attribute(attribute, key)
            if sub is None:
                continue
            if sub.name in seen:
                raise InvalidSyntax(f"{attribute.name}.{sub.name} is given twice, in another case.")
            seen.add(sub.name)
            if not sub.read_only:
                value = self.read(sub, item, attribute.name)
                if value is not None:
                    result[sub.name] = value
        if not partial:
            require(result, attribute)
        return result or None

    def sub_attribute(self, attribute: Attribute, name: str) -> Attribute | None:
        """Return the sub-attribute that a client means; None when it is unknown and ignored."""
        sub = attribute.sub(name)
        if sub is None and (alias := ALIASES.get(name.lower())) in attribute.by_name:
            sub = attribute.by_name[str(alias)]
            self.tolerate(Quirk.ALIAS, f"{attribute.name} has no attribute {name!r}.")
        if sub is None:
            self.tolerate(Quirk.UNKNOWN_ATTRIBUTE, f"{attribute.name} has no attribute {name!r}.")
        return sub


def require(entry: Mapping[str, Any], attribute: Attribute) -> None:
    """Raise InvalidValue when a complex value lacks a required sub-attribute."""
    for name in attribute.required_names:
        if name not in entry and entry:
            raise InvalidValue(f"{attribute.name}.{name} is required.")


def identity(attribute: Attribute, entry: Any) -> Hashable:
    """Return what makes an entry of a multi-valued attribute the same as another (7643 2.4).

    That is (type, value) where it has a value, else everything it holds but `primary`.
    """
    if not isinstance(entry, dict):
        return (comparison_key(attribute, entry),)
    subs = attribute.by_name
    if "value" not in entry:
        parts = ((n, comparison_key(subs[n], part)) for n, part in entry.items() if n != "primary")
        return repr(sorted(parts))
    kind = comparison_key(subs["type"], entry["type"]) if "type" in entry else None
    return kind, comparison_key(subs["value"], entry["value"])


def distinct(attribute: Attribute, entries: Iterable[Any]) -> dict[Hashable, Any]:
    """Return the entries by identity, those of one identity merged into the first, in order."""
    found: dict[Hashable, Any] = {}
    for entry in entries:
        key = identity(attribute, entry)
        if key in found and isinstance(entry, dict):
            found[key] = {**found[key], **entry}
        else:
            found.setdefault(key, entry)
    return found


def is_primary(entry: Any) -> bool:
    """Return whether an entry of a multi-valued attribute is the preferred one."""
    return isinstance(entry, dict) and entry.get("primary") is True


def not_primary(entry: Any) -> Any:
    """Return an entry that is not the preferred one, otherwise as it was."""
    return {**entry, "primary": False} if is_primary(entry) else entry


def date_time(text: str) -> str:
    """Return an xsd:dateTime as UTC with milliseconds and Z, which sorts as it passes.

    Without an offset it is taken as UTC. Raises ValueError.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None
    return f"{moment:%Y-%m-%dT%H:%M:%S}".zfill(19) + f".{moment.microsecond // 1000:03}Z"


def _check_count(attribute: Attribute, entries: Sequence[Any]) -> None:
    if len(entries) > VALUES_LIMIT:
        raise InvalidValue(f"{attribute.name} has more than {VALUES_LIMIT} values.")


def _name(attribute: Attribute, owner: str) -> str:
    return f"{owner}.{attribute.name}" if owner else attribute.name


def _shown(raw: Any) -> str:
    """A value's JSON type, for a message: the value itself may be personal."""
    kinds = {bool: "true or false", str: "a string", list: "a list", dict: "an object"}
    return kinds.get(type(raw), "a number")


def _string(reader: ValueReader, attribute: Attribute, raw: Any, owner: str) -> str:
    if type(raw) is not str:
        if type(raw) not in (int, float):
            raise InvalidValue(f"{_name(attribute, owner)} must be a string, not {_shown(raw)}.")
        reader.tolerate(
            Quirk.NUMBER_AS_STRING, f"{_name(attribute, owner)} must be a string, not a number."
        )
        return str(raw)
    if UNSTORABLE.search(raw):
        raise InvalidValue(f"{_name(attribute, owner)} has a character that cannot be stored.")
    return raw


def _boolean(reader: ValueReader, attribute: Attribute, raw: Any, owner: str) -> bool:
    if type(raw) is bool:
        return raw
    value = BOOLEANS.get(raw.lower()) if isinstance(raw, str) else None
    if value is None:
        raise InvalidValue(f"{_name(attribute, owner)} must be true or false, not {_shown(raw)}.")
    reader.tolerate(
        Quirk.STRING_BOOLEAN, f"{_name(attribute, owner)} must be true or false without quotes."
    )
    return value


def _integer(_: ValueReader, attribute: Attribute, raw: Any, owner: str) -> int:
    if type(raw) is not int or not -INTEGER_LIMIT <= raw < INTEGER_LIMIT:
        raise InvalidValue(f"{_name(attribute, owner)} must be a whole number of at most 64 bits.")
    return raw


def _decimal(_: ValueReader, attribute: Attribute, raw: Any, owner: str) -> float:
    if type(raw) not in (int, float) or not isfinite(raw):
        raise InvalidValue(f"{_name(attribute, owner)} must be a number, not {_shown(raw)}.")
    return raw  # type: ignore[no-any-return]


def _date_time(_: ValueReader, attribute: Attribute, raw: Any, owner: str) -> str:
    try:
        return date_time(raw)
    except (TypeError, ValueError):
        raise InvalidValue(
            f"{_name(attribute, owner)} must be a date and time such as 2026-05-13T04:42:34Z."
        ) from None


def _binary(_: ValueReader, attribute: Attribute, raw: Any, owner: str) -> str:
    if not isinstance(raw, str) or not _is_base64(raw):
        raise InvalidValue(f"{_name(attribute, owner)} must be base64 with padding (RFC 4648).")
    return raw


def _is_base64(text: str) -> bool:
    try:
        return binascii.a2b_base64(text, strict_mode=True) is not None
    except (binascii.Error, ValueError):
        return False


_SIMPLE: Mapping[Type, Callable[[ValueReader, Attribute, Any, str], Any]] = {
    Type.STRING: _string,
    Type.REFERENCE: _string,
    Type.BOOLEAN: _boolean,
    Type.INTEGER: _integer,
    Type.DECIMAL: _decimal,
    Type.DATE_TIME: _date_time,
    Type.BINARY: _binary,
}
