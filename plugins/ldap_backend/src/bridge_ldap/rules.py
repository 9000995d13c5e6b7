"""Mapping rules: one line of configuration that says where an LDAP attribute's values come from.

    userName                                     the attribute at a SCIM path
    emails[type eq "work"].value                 of a many-valued one, those that match
    {name.givenName} {name.familyName}           text around paths; empty when all of them are
    "Example Inc."                               a constant
    displayName | name.formatted | userName      the first of these that has a value
    lower(userName), upper(userName)             in small letters, in capitals
    before("@", userName)                        what stands before the first @; all of it without
    all(emails.value)                            every value instead of only the first
    join(", ", emails.value)                     every value as one
    first(emails.value)                          only the first: what a path alone does too
    if(active, "TRUE", "FALSE")                  one text for true, another for false
    dn(urn:…:User:manager.value)                 the entry of the resource with this id

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
_COMMA = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
_BAR = re.compile(r'\|(?=(?:[^"]*"[^"]*")*[^"]*$)')

Source = Callable[[Attributes], list[str]]
"""Reads the values that one alternative of a rule finds in a resource document."""


@attrs.frozen
class Rule:
    """A parsed rule. `text` is the line as configured, for messages."""

    text: str
    _alternatives: tuple[Source, ...]
    refers: bool = False
    """Whether the values are ids of resources, for whose entries' DNs they stand."""

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
    parts = [part.strip() for part in _BAR.split(text)]
    called = [_CALL.fullmatch(part) for part in parts]
    if any(call and call["name"] == "dn" for call in called):
        if len(parts) > 1 or called[0] is None:
            raise ValueError("dn() stands alone")
        return Rule(text, (partial(_first, _path(called[0]["inner"])),), refers=True)
    return Rule(text, tuple(map(_alternative, parts)))


def _alternative(text: str) -> Source:
    if not (call := _CALL.fullmatch(text)):
        return partial(_first, _every(text))
    name, inner = call["name"], call["inner"].strip()
    arguments = [inner] if name in _SINGLE else [part.strip() for part in _COMMA.split(inner)]
    match name, arguments:
        case "all", [inner]:
            return _every(inner)
        case "first", [inner]:
            return partial(_first, _every(inner))
        case (("lower" | "upper"), [inner]):
            return partial(_each, getattr(str, name), _alternative(inner))
        case "join", [separator, inner]:
            return partial(_joined, _text(separator), _every(inner))
        case "before", [mark, inner]:
            return partial(_each, partial(_up_to, _text(mark)), _alternative(inner))
        case "if", [inner, true, false]:
            return partial(_either, _path(inner), _text(true), _text(false))
    if name in _FORMS:
        raise ValueError(f"{text!r} is not {_FORMS[name]}")
    raise ValueError(f"{name}() is not known; known are {', '.join(_FORMS.values())}")


_SINGLE = ("all", "first", "lower", "upper")
_FORMS = {
    "all": "all(path)",
    "before": 'before("text", path)',
    "dn": "dn(path)",
    "first": "first(path)",
    "if": 'if(path, "text", "text")',
    "join": 'join("text", path)',
    "lower": "lower(path)",
    "upper": "upper(path)",
}


def _text(argument: str) -> str:
    if len(argument) < 2 or argument[0] != '"' or argument[-1] != '"':
        raise ValueError(f"{argument!r} must be a text in quotes")
    return argument[1:-1]


def _every(text: str) -> Source:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return partial(_constant, text[1:-1])
    if "{" in text:
        paths = [_alternative(inner.strip()) for inner in _PLACEHOLDER.findall(text)]
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


def _each(turn: Callable[[str], str], source: Source, document: Attributes) -> list[str]:
    return [turn(value) for value in source(document)]


def _up_to(mark: str, value: str) -> str:
    return value.partition(mark)[0] if mark else value


def _joined(separator: str, source: Source, document: Attributes) -> list[str]:
    values = source(document)
    return [separator.join(values)] if values else []


def _either(source: Source, true: str, false: str, document: Attributes) -> list[str]:
    texts = {"TRUE": true, "FALSE": false}
    return [texts[value] for value in source(document)[:1] if value in texts]


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
