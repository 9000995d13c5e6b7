"""From a SCIM document to the value of one column, and back.

Rule: what a column holds is a function of the document alone, so plans are too.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from bridge.plugin import Attributes

Kind = Literal["any", "boolean", "integer", "timestamp"]

_PATH = re.compile(
    r"(?:(?P<urn>urn:[^\[]+):)?(?P<attribute>[A-Za-z$][\w$-]*)"
    r'(?:\[type eq "(?P<type>[^"]*)"\])?(?:\.(?P<sub>[A-Za-z$][\w$-]*))?'
)
_PLURAL = frozenset(
    {"emails", "phoneNumbers", "ims", "photos", "addresses", "entitlements", "roles"}
    | {"x509Certificates"}
)
"""Attributes that hold several values (RFC 7643 section 4.1.2)."""


@attrs.frozen
class Path:
    """A SCIM path that yields one value; of several the primary one, else the first.

    `userName`, `name.givenName`, `emails[type eq "work"].value`, `urn:…:User:department`.
    """

    text: str
    urn: str | None
    attribute: str
    type: str | None
    sub: str | None

    @classmethod
    def parse(cls, text: str) -> "Path":
        """Return the path that `text` spells. Raises ValueError on anything else."""
        match = _PATH.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a path to one value")
        return cls(text=text, **match.groupdict())

    @classmethod
    def parse_all(cls, text: str) -> "tuple[Path, ...]":
        """Return the paths of `a | b`, in order. Raises ValueError where one is none."""
        return tuple(cls.parse(part.strip()) for part in text.split("|"))

    def value(self, document: Attributes) -> Any:
        """Return what the path yields in `document`, or None."""
        holder = document.get(self.urn) or {} if self.urn else document
        found = holder.get(self.attribute)
        if found is None:
            # Nothing says that a user without `active` is not (RFC 7643 4.1.1 leaves it to us).
            return True if self.text == "active" else None
        if isinstance(found, list | tuple):
            found = self._chosen(found)
        return found.get(self.sub or "value") if isinstance(found, dict) else found

    def put(self, document: dict[str, Any], value: Any) -> None:
        """Make `document` one in which the path yields `value`, where nothing is yet."""
        holder = document.setdefault(self.urn, {}) if self.urn else document
        if self.attribute in _PLURAL:
            entry = {"type": self.type} if self.type else {"primary": True}
            holder.setdefault(self.attribute, []).append({self.sub or "value": value, **entry})
        elif self.sub:
            holder.setdefault(self.attribute, {})[self.sub] = value
        else:
            holder[self.attribute] = value

    def _chosen(self, values: Sequence[Any]) -> Any:
        if self.type is not None:
            values = [v for v in values if isinstance(v, dict) and v.get("type") == self.type]
        primary = (v for v in values if isinstance(v, dict) and v.get("primary"))
        return next(primary, values[0] if values else None)


@attrs.frozen
class Rule:
    """What a column holds: the value of the first path that has one, converted."""

    paths: tuple[Path, ...]
    type: Kind = "any"
    lower: bool = False
    values: Mapping[str, str] = attrs.field(factory=dict)
    _converts: bool = attrs.field(init=False, eq=False, repr=False)
    _plain: str | None = attrs.field(init=False, eq=False, repr=False)

    @_converts.default
    def _has_conversion(self) -> bool:
        return bool(self.values) or self.lower or self.type != "any"

    @_plain.default
    def _only_name(self) -> str | None:
        path = self.paths[0]
        alone = len(self.paths) == 1 and not (path.urn or path.sub or path.type)
        return path.attribute if alone and not self._converts else None

    @property
    def roots(self) -> frozenset[str]:
        """Top-level names of the document that the value depends on."""
        return frozenset(path.urn or path.attribute for path in self.paths)

    def value(self, document: Attributes) -> Any:
        """Return what the column holds for `document`. Raises ValueError: it cannot."""
        if self._plain is not None and isinstance(found := document.get(self._plain), str):
            return found  # by far the most common
        for path in self.paths:
            found = path.value(document)
            if found is not None:
                return self._converted(found) if self._converts else found
        return None

    def put(self, document: dict[str, Any], held: Any) -> None:
        """Add to `document` what a column that holds this says about it."""
        if held is None:
            return
        given = {written: meant for meant, written in self.values.items()}.get(str(held), held)
        if isinstance(given, datetime):
            given = given.isoformat().replace("+00:00", "Z")
        elif self.paths[0].text == "active":
            given = given in (True, "true")
        self.paths[0].put(document, given)

    def _converted(self, found: Any) -> Any:
        if self.values:
            spelled = str(found).lower() if isinstance(found, bool) else str(found)
            if spelled not in self.values:
                raise ValueError(f"values does not say what to write for {spelled!r}")
            found = self.values[spelled]
        if self.lower and isinstance(found, str):
            found = found.lower()
        return typed(found, self.type)


def typed(value: Any, kind: Kind) -> Any:
    """Return a value as a truth, a whole number or a moment. Raises ValueError where it is none."""
    if kind == "any" or value is None:
        return value
    if kind == "boolean":
        if (text := str(value).lower()) not in ("true", "false"):
            raise ValueError(f"{value!r} is neither true nor false")
        return text == "true"
    if kind == "integer":
        return int(value)
    return moment(datetime.fromisoformat(str(value)))


def moment(value: datetime) -> datetime:
    """Return a time in UTC without fractions, as every database keeps it; without a zone is UTC."""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)
