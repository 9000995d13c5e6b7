"""From an entry to the document it would be: the mapping's rules, read backwards.

A rule is read backwards by its first alternative, where that is a path, or `lower`, `upper`, `all`,
`first` or `if` of one: `cn = "displayName | userName"` says that cn is the displayName. Others say
nothing. Of two attributes with the same path, the one whose rule is nothing but that path counts.

Rule: what an entry does not say is left out; nothing is made up.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from bridge_ldap import dn
from bridge_ldap.mapping import Entry, EntryMapping, Values
from bridge_ldap.sections import ORGANIZATION, Users

_BAR = re.compile(r'\|(?=(?:[^"]*"[^"]*")*[^"]*$)')
_CALL = re.compile(r"(?:lower|upper|all|first)\((?P<inner>.*)\)")
_IF = re.compile(r'if\((?P<inner>[^,]*),\s*"(?P<yes>[^"]*)"\s*,\s*"(?P<no>[^"]*)"\s*\)')
_PATH = re.compile(
    r"""(?:(?P<urn>urn:[A-Za-z0-9:._-]+):)?
        (?P<name>[A-Za-z$][A-Za-z0-9_$-]*)
        (?:\[\s*(?P<key>[A-Za-z][A-Za-z0-9]*)\s+eq\s+(?P<match>"[^"]*"|true|false)\s*\])?
        (?:\.(?P<sub>[A-Za-z$][A-Za-z0-9_$-]*))?""",
    re.VERBOSE,
)

_MANY = frozenset(
    {
        *("emails", "phoneNumbers", "ims", "photos", "addresses", "entitlements", "roles"),
        "x509Certificates",
    }
)
"""Attributes that hold a list (RFC 7643 4.1.2)."""


@attrs.frozen
class Place:
    """Where in a document the values of one attribute type belong."""

    attribute: str
    urn: str | None
    name: str
    key: str | None
    match: str | None
    sub: str | None
    truths: Mapping[str, bool] | None = None  # what texts stand for, where it is a truth

    @property
    def path(self) -> tuple[str | None, ...]:
        """What two attributes must not both fill."""
        return (self.urn, self.name, self.key, self.match, self.sub)

    def fill(self, document: dict[str, Any], values: Values) -> None:
        """Put the values into a document."""
        if self.truths is not None:
            if values[0] in self.truths:
                document[self.name] = self.truths[values[0]]
            return
        holder = document.setdefault(self.urn, {}) if self.urn else document
        if self.key is not None or self.name in _MANY:
            self._fill_items(holder.setdefault(self.name, []), values)
        elif self.sub:
            holder.setdefault(self.name, {})[self.sub] = values[0]
        else:
            holder[self.name] = values[0]

    def _fill_items(self, items: list[dict[str, Any]], values: Values) -> None:
        sub = self.sub or "value"
        if self.key is None or self.match is None:
            items += ({sub: value} for value in values)
            return
        match = self.match[1:-1] if self.match.startswith('"') else self.match == "true"
        item = next((item for item in items if item.get(self.key) == match), None)
        if item is None:
            items.append(item := {self.key: match})
        item[sub] = values[0]


def places(rules: Mapping[str, str]) -> tuple[Place, ...]:
    """Return where each attribute type's values belong, for those whose rule says so."""
    found: dict[tuple[str | None, ...], Place] = {}
    plain_first = sorted(rules, key=lambda name: len(_BAR.split(rules[name])))
    for attribute in plain_first:
        first = _BAR.split(rules[attribute])[0].strip()
        chosen = _IF.fullmatch(first)
        called = chosen or _CALL.fullmatch(first)
        truths = {chosen["yes"]: True, chosen["no"]: False} if chosen else None
        if path := _PATH.fullmatch(called["inner"].strip() if called else first):
            place = Place(attribute, **path.groupdict(), truths=truths)
            found.setdefault(place.path, place)
    return tuple(found.values())


def document(places: Iterable[Place], entry: Entry) -> dict[str, Any]:
    """Return the document that an entry would be."""
    made: dict[str, Any] = {}
    for place in places:
        values = tuple(value for value in entry.values(place.attribute) if _is_text(value))
        if values:
            place.fill(made, values)
    return made


def is_active(users: Users, organization: str, entry: Entry) -> bool:
    """Tell whether a person's entry is not shown as deactivated."""
    policy = users.deactivate
    if policy.policy == "move" and policy.base_dn:
        inactive = policy.base_dn.replace(ORGANIZATION, dn.escape(organization or "?"))
        return not dn.below(entry.dn, inactive)
    if policy.policy == "flag":
        number = entry.first(policy.attribute)
        return not (number.isdecimal() and int(number) & policy.flag)
    return policy.policy != "attribute" or policy.value not in entry.values(policy.attribute)


def organization(base_dn: str, entry: Entry) -> str:
    """Return the organization whose base an entry is below; empty where the base names none."""
    if ORGANIZATION not in base_dn:
        return ""
    template, name = dn.parse(base_dn).rdns, dn.parse(entry.dn).rdns
    for pair, own in zip(_values(template), _values(name[-len(template) :]), strict=False):
        before, found, after = pair.partition(ORGANIZATION)
        if found and own.startswith(before) and own.endswith(after):
            return own[len(before) : len(own) - len(after)]
    return ""


def members(mapping: EntryMapping, entry: Entry) -> tuple[str, ...]:
    """Return the keys of a group's members, without its placeholder."""
    groups = mapping.settings.groups
    held = entry.values(groups.member_attribute)
    if groups.member_value == "uid":
        return held
    placeholder = groups.placeholder(entry.dn)
    own = key(placeholder) if placeholder else None
    return tuple(member for member in map(key, held) if member != own)


def key(name: str) -> str:
    """Return a DN in comparable form, as text; the text itself where it is no DN."""
    try:
        rdns = dn.key(name)
    except ValueError:
        return name
    return ",".join("+".join(sorted(f"{kind}={value!r}" for kind, value in rdn)) for rdn in rdns)


def _values(rdns: Iterable[tuple[tuple[str, str], ...]]) -> Iterator[str]:
    return (rdn[0][1] for rdn in rdns)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return bool(value.strip())
