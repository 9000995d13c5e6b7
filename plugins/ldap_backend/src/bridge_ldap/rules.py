"""Mapping rules: one line of configuration that says where an LDAP attribute's values come from.

    userName                                     the attribute at a SCIM path
    emails[type eq "work"].value                 of a many-valued one, those that match
    {name.givenName} {name.familyName}           text around paths; empty when all of them are
    "Example Inc."                               a constant
    displayName | name.formatted | userName      the first of these that has a value
    lower(userName)                              in small letters
    all(emails.value)                            every value instead of only the first

Rule: a closed language, parsed once; nothing in it is ever evaluated as code.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import attrs

from bridge.plugin import Attributes

RULE_CHARACTERS = 1000
"""Longest rule, in characters."""

_PATH = re.compile(
    r"""(?:(?P<urn>urn:[A-Za-z0-9:._-]+):)?      # an extension's URN, kept as one key
        (?P<name>[A-Za-z$][A-Za-z0-9_$-]*)
        (?:\[\s*(?P<key>[A-Za-z][A-Za-z0-9]*)\s+eq\s+(?P<match>"[^"]*"|true|false)\s*\])?
        (?:\.(?P<sub>[A-Za-z$][A-Za-z0-9_$-]*))?""",
    re.VERBOSE,
)
_CALL = re.compile(r"(?P<name>[a-z]+)\((?P<inner>.*)\)")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_BAR = re.compile(r'\|(?=(?:[^"]*"[^"]*")*[^"]*$)')

Source = Callable[[Attributes], list[str]]
"""Reads the values that one alternative of a rule finds in a resource document."""


@attrs.frozen
class Rule:
    """A parsed rule. `text` is the line as configured, for messages."""

    text: str
    _alternatives: tuple[Source, ...]

    def values(self, document: Attributes) -> tuple[str, ...]:
        """Return the values of the first alternative that has any, none empty.

        Values that differ in case alone count once: most attributes could not hold both.
        """
        for alternative in self._alternatives:
            once: dict[str, str] = {}
            for value in filter(None, alternative(document)):
                once.setdefault(value.casefold(), value)
            if once:
                return tuple(once.values())
        return ()


def parse(text: str) -> Rule:
    """Return the rule that `text` states; raises ValueError that says what is wrong with it."""
    if len(text) > RULE_CHARACTERS:
        raise ValueError(f"a rule has at most {RULE_CHARACTERS} characters")
    return Rule(text, tuple(_alternative(part.strip()) for part in _BAR.split(text)))


def _alternative(text: str) -> Source:
    if call := _CALL.fullmatch(text):
        if call["name"] == "all":
            return _every(call["inner"])
        if call["name"] == "lower":
            return partial(_lower, _alternative(call["inner"].strip()))
        raise ValueError(f"{call['name']}() is not known; known are all() and lower()")
    return partial(_first, _every(text))


def _every(text: str) -> Source:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return partial(_constant, text[1:-1])
    if "{" in text:
        paths = [_path(inner) for inner in _PLACEHOLDER.findall(text)]
        pieces = _PLACEHOLDER.split(text)[::2]
        if any("{" in piece or "}" in piece for piece in pieces):
            raise ValueError(f"the braces in {text!r} do not pair")
        return partial(_filled, pieces, paths)
    return _path(text)


def _path(text: str) -> Source:
    found = _PATH.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no path, constant or template")
    return partial(_read, found.groupdict())


def _first(source: Source, document: Attributes) -> list[str]:
    return source(document)[:1]


def _lower(source: Source, document: Attributes) -> list[str]:
    return [value.lower() for value in source(document)]


def _constant(value: str, _document: Attributes) -> list[str]:
    return [value]


def _filled(pieces: list[str], paths: list[Source], document: Attributes) -> list[str]:
    values = ["".join(path(document)[:1]) for path in paths]
    if not any(values):
        return []
    text = pieces[0] + "".join(v + piece for v, piece in zip(values, pieces[1:], strict=True))
    return [" ".join(text.split())]


def _read(path: Mapping[str, str | None], document: Attributes) -> list[str]:
    node: Any = document.get(path["urn"], {}) if path["urn"] else document
    node = node.get(path["name"]) if isinstance(node, Mapping) else None
    if node is None:
        return []
    if not isinstance(node, list | tuple):
        return list(_texts(node, path["sub"]))
    items = [
        item for item in node if not path["key"] or _matches(item, path["key"], str(path["match"]))
    ]
    # The primary value comes first.
    items.sort(key=lambda item: not _is_primary(item))
    return [text for item in items for text in _texts(item, path["sub"])]


def _matches(item: Any, key: str, match: str) -> bool:
    value = item.get(key) if isinstance(item, Mapping) else None
    if match.startswith('"'):
        return isinstance(value, str) and value.lower() == match[1:-1].lower()
    return value is (match == "true")


def _is_primary(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("primary") is True


def _texts(item: Any, sub: str | None) -> Iterator[str]:
    value = item.get(sub or "value") if isinstance(item, Mapping) else None if sub else item
    match value:
        case bool():
            yield "TRUE" if value else "FALSE"
        case str():
            yield value
        case int() | float():
            yield str(value)
