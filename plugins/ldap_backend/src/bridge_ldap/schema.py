"""The part of a server's schema that mappings depend on (RFC 4512 4.1 and 4.2).

Rule: reads what servers publish, understands only what is asked for here, and ignores the rest.
"""

import re
from collections.abc import Iterable

import attrs

_NAMES = re.compile(r"\bNAME\s+(?:'([^']+)'|\(([^)]*)\))")
_LISTS = {
    key: re.compile(rf"\b{key}\s+(?:\(([^)]*)\)|([\w.;-]+))")
    for key in ("SUP", "AUX", "MUST", "MAY")
}
_QUOTED = re.compile(r"'[^']*'")


@attrs.frozen
class ObjectClass:
    """An object class: its superclasses, and the attribute types it wants and allows."""

    superior: frozenset[str]
    must: frozenset[str]
    may: frozenset[str]


@attrs.frozen
class Schema:
    """Object classes and attribute types by every name they have, in small letters."""

    classes: dict[str, ObjectClass]
    synonyms: dict[str, frozenset[str]]
    single_valued: frozenset[str]

    def knows(self, attribute: str) -> bool:
        """Tell whether an attribute type exists."""
        return attribute.lower() in self.synonyms

    def must(self, object_classes: Iterable[str]) -> frozenset[str]:
        """Return the attribute types that entries of these classes have to have."""
        return self._closure(object_classes, "must")

    def allows(self, attribute: str, object_classes: Iterable[str]) -> bool:
        """Tell whether entries of these classes may have an attribute type, by any of its names."""
        allowed = self._closure(object_classes, "must") | self._closure(object_classes, "may")
        return bool(self.synonyms.get(attribute.lower(), frozenset()) & allowed)

    def _closure(self, object_classes: Iterable[str], which: str) -> frozenset[str]:
        found: set[str] = set()
        seen: set[str] = set()
        todo = [name.lower() for name in object_classes]
        while todo:
            name = todo.pop()
            if name in seen or name not in self.classes:
                continue
            seen.add(name)
            found |= getattr(self.classes[name], which)
            todo += self.classes[name].superior
        return frozenset(found)


def parse(
    object_classes: Iterable[str],
    attribute_types: Iterable[str],
    content_rules: Iterable[str] = (),
) -> Schema:
    """Return the schema from a subschema subentry's values.

    Content rules (RFC 4512 4.1.6) are how Active Directory says what its classes allow besides.
    """
    classes = {}
    for text in object_classes:
        made = ObjectClass(*(_listed(text, key) for key in ("SUP", "MUST", "MAY")))
        classes.update(dict.fromkeys(_names(text), made))
    for text in content_rules:
        auxiliary, must, may = (_listed(text, key) for key in ("AUX", "MUST", "MAY"))
        for name in _names(text) & classes.keys():
            ruled = classes[name]
            classes[name] = ObjectClass(
                ruled.superior | auxiliary, ruled.must | must, ruled.may | may
            )
    synonyms: dict[str, frozenset[str]] = {}
    single: set[str] = set()
    for text in attribute_types:
        names = _names(text)
        synonyms.update(dict.fromkeys(names, names))
        if "SINGLE-VALUE" in _QUOTED.sub("", text):
            single |= names
    return Schema(classes, synonyms, frozenset(single))


def _names(text: str) -> frozenset[str]:
    found = _NAMES.search(text)
    if not found:
        return frozenset()
    names = [found[1]] if found[1] else re.findall(r"'([^']+)'", found[2])
    return frozenset(name.lower() for name in names)


def _listed(text: str, key: str) -> frozenset[str]:
    # Quoted parts (DESC) may hold anything, also the keywords.
    found = _LISTS[key].search(_QUOTED.sub("", text))
    names = (found[1] or found[2]).replace("$", " ").split() if found else ()
    return frozenset(name.lower() for name in names)
