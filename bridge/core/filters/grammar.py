"""Filter and path text to AST: one LALR grammar, close to the ABNF of RFC 7644 figure 1.

Beyond the RFC it takes a value path with a sub-attribute that is compared (Entra ID matches by
`emails[type eq "work"].value eq "x"`) and values without quotes (Microsoft's sample requests).

Rule: the parser never sees text that is too long, too deep or of too many terms, so that the worst
input costs no more than the largest good one.
"""

import json
import math
import re
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args

from bridge.core.errors import InvalidFilter, InvalidPath, ScimError
from bridge.core.filters.ast import (
    And,
    AttributePath,
    Compare,
    Comparison,
    FilterNode,
    Not,
    Or,
    Path,
    Present,
    Unquoted,
    Value,
    Within,
)
from bridge.core.schema.values import BOOLEANS, UNSTORABLE

FILTER_LIMIT_BYTES = 4096
"""Longest filter or path."""

DEPTH_LIMIT = 16
"""Most brackets, round and square, that may be open at once."""

TERM_LIMIT = 64
"""Most comparisons in one filter."""

BRACKET_LIMIT = 128
"""Most pairs of brackets in one filter."""

CACHED_LIMIT_CHARACTERS = 128
"""Longest path that is remembered: the same few come with every PATCH of a client."""

_GRAMMAR = r"""
?path: NAME                        -> plain_path
     | NAME "[" or "]" [SUB]      -> value_path

?filter: or
?or: and
   | and (_OR and)+               -> disjunction
?and: term
    | term (_AND term)+           -> conjunction
?term: "(" or ")"
     | _NOT "(" or ")"            -> negation
     | NAME _PR                   -> present
     | NAME OP value              -> compare
     | NAME "[" or "]"            -> within
     | NAME "[" or "]" SUB _PR    -> within_present
     | NAME "[" or "]" SUB OP value  -> within_compare
?value: STRING                    -> string
      | WORD                      -> word

NAME: /[A-Za-z$_][A-Za-z0-9$_.:\/%~+-]*/
SUB: /\.[A-Za-z$_][A-Za-z0-9$_-]*/
STRING: /"(?:[^"\\\x00-\x1f]|\\(?:["\\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/
WORD: /[^\s()\[\]",]+/
OP.1: /(?:eq|ne|co|sw|ew|gt|ge|lt|le)(?=[ \t"])/i
_PR.1: /pr(?![A-Za-z0-9$_.:-])/i
_AND.1: /and(?=[ \t(])/i
_OR.1: /or(?=[ \t(])/i
_NOT.1: /not(?=[ \t]*\()/i
%ignore /[ \t]+/
"""

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,18})")
_SCAN = re.compile(
    r'"(?:[^"\\]|\\.)*"?|(?P<open>[(\[])|(?P<close>[)\]])'
    r"|(?<=[ \t)\]])(?P<joint>and|or)(?=[ \t(])",
    re.IGNORECASE,
)


@v_args(inline=True)
class _Build(Transformer[Token, Any]):
    """Makes AST nodes while the parser runs; there is no parse tree."""

    def plain_path(self, name: Token) -> Path:
        return Path(AttributePath(str(name)))

    def value_path(self, name: Token, inner: FilterNode, sub: Token | None) -> Path:
        return Path(AttributePath(str(name)), inner, str(sub[1:]) if sub else None)

    def disjunction(self, *terms: FilterNode) -> FilterNode:
        return Or(terms)

    def conjunction(self, *terms: FilterNode) -> FilterNode:
        return And(terms)

    def negation(self, term: FilterNode) -> FilterNode:
        return Not(term)

    def present(self, name: Token) -> FilterNode:
        return Present(AttributePath(str(name)))

    def compare(self, name: Token, op: Token, value: Value) -> FilterNode:
        return Compare(AttributePath(str(name)), Comparison(op.lower()), value)

    def within(self, name: Token, inner: FilterNode) -> FilterNode:
        return Within(AttributePath(str(name)), inner)

    def within_present(self, name: Token, inner: FilterNode, sub: Token) -> FilterNode:
        return _within(name, inner, Present(AttributePath(str(sub[1:]))))

    def within_compare(
        self, name: Token, inner: FilterNode, sub: Token, op: Token, value: Value
    ) -> FilterNode:
        term = Compare(AttributePath(str(sub[1:])), Comparison(op.lower()), value)
        return _within(name, inner, term)

    def string(self, token: Token) -> Value:
        text = json.loads(token)
        if UNSTORABLE.search(text):
            raise InvalidFilter("The filter has a character that no value can have.")
        return str(text)

    def word(self, token: Token) -> Value:
        text = str(token)
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        if _WHOLE.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
            return number
        return Unquoted(text)


_WORDS: dict[str, Value] = {**BOOLEANS, "null": None}


def _within(name: Token, inner: FilterNode, term: FilterNode) -> FilterNode:
    # attribute[filter].sub op value asks for one entry that fulfils both.
    terms = inner.terms if isinstance(inner, And) else (inner,)
    return Within(AttributePath(str(name)), And((*terms, term)))


_PARSER = Lark(
    _GRAMMAR, parser="lalr", lexer="contextual", start=["filter", "path"], transformer=_Build()
)


def parse_filter(text: str) -> FilterNode:
    """Return the AST of a filter. Raises InvalidFilter, also over one of the limits."""
    _check_limits(text, InvalidFilter, "filter")
    node: FilterNode = _parse(text, "filter", InvalidFilter)
    _check_shape(node)
    return node


def parse_path(text: str) -> Path:
    """Return the parts of a PATCH path. Raises InvalidPath, also over one of the limits."""
    if len(text) <= CACHED_LIMIT_CHARACTERS:
        return _remembered_path(text)
    return _parse_path(text)


def _parse_path(text: str) -> Path:
    _check_limits(text, InvalidPath, "path")
    path: Path = _parse(text, "path", InvalidPath)
    if path.filter is not None:
        _check_shape(Within(path.attribute, path.filter))
    return path


_remembered_path = lru_cache(maxsize=1024)(_parse_path)


def _parse(text: str, start: str, error: type[ScimError]) -> Any:
    try:
        return _PARSER.parse(text, start=start)
    except UnexpectedInput as problem:
        at_end = isinstance(problem, UnexpectedToken) and problem.token.type == "$END"
        where = len(text) + 1 if at_end else problem.column
        raise error(
            f"The {start} cannot be read at character {where}. "
            'It should look like userName eq "ann" (RFC 7644, 3.4.2.2).'
            if start == "filter"
            else f"The path cannot be read at character {where}. "
            'It should look like name.givenName or emails[type eq "work"].value.'
        ) from None


def _check_limits(text: str, error: type[ScimError], what: str) -> None:
    if len(text) > FILTER_LIMIT_BYTES or len(text.encode(errors="replace")) > FILTER_LIMIT_BYTES:
        raise error(f"The {what} is longer than {FILTER_LIMIT_BYTES} bytes.")
    depth, brackets, terms = 0, 0, 1
    for match in _SCAN.finditer(text):
        kind = match.lastgroup
        if kind == "open":
            depth, brackets = depth + 1, brackets + 1
            if depth > DEPTH_LIMIT:
                raise error(f"The {what} has more than {DEPTH_LIMIT} brackets in each other.")
            if brackets > BRACKET_LIMIT:
                raise error(f"The {what} has more than {BRACKET_LIMIT} pairs of brackets.")
        elif kind == "close":
            depth -= 1
        elif kind == "joint":
            terms += 1
            if terms > TERM_LIMIT:
                raise error(f"The {what} has more than {TERM_LIMIT} terms.")


def _check_shape(node: FilterNode) -> None:
    """Refuse brackets in brackets and, exactly now, too many terms."""
    terms = 0
    waiting: list[tuple[FilterNode, bool]] = [(node, False)]
    while waiting:
        current, inside = waiting.pop()
        if isinstance(current, Within):
            if inside:
                raise InvalidFilter("A filter in [ ] cannot hold another one.")
            waiting.append((current.filter, True))
        elif isinstance(current, Not):
            waiting.append((current.term, inside))
        elif isinstance(current, And | Or):
            waiting.extend((term, inside) for term in current.terms)
        else:
            terms += 1
    if terms > TERM_LIMIT:
        raise InvalidFilter(f"The filter has more than {TERM_LIMIT} terms.")
