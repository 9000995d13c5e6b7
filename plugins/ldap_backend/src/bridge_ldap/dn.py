"""Distinguished names and search filters, built from typed values and never from text.

ldap3's own escaping lets control characters through and breaks on blank values, so it is not used.

Rule: a value that cannot be named safely is refused with ValueError, never repaired.
"""

import functools
import re
import unicodedata

import attrs

PARSED_NAMES = 4096
"""How many parsed DNs are kept at hand; those of one plan are asked for again and again."""

_SPECIAL = set('"+,;<>\\=')
_ESCAPED = re.compile(r"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_PLAIN = re.compile(rb"[A-Za-z0-9@.,=_:/ +-]")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+")

Pair = tuple[str, str]
"""One attribute type and its value, unescaped."""

Key = tuple[frozenset[Pair], ...]
"""A DN in the form in which two names of one entry are equal."""


@attrs.frozen
class Name:
    """A parsed DN: its RDNs, the entry's own first; each a tuple of type and value pairs."""

    rdns: tuple[tuple[Pair, ...], ...]

    @property
    def key(self) -> Key:
        """The form in which two names of one entry are equal (RFC 4517 4.2.15, RFC 4518)."""
        return tuple(
            frozenset((kind.lower(), _prepared(value)) for kind, value in rdn) for rdn in self.rdns
        )

    @property
    def naming(self) -> Pair | None:
        """The type and value that name the entry; None for the root and a many-valued RDN."""
        return self.rdns[0][0] if self.rdns and len(self.rdns[0]) == 1 else None


def child(kind: str, value: str, parent: str) -> str:
    """Return the DN of the entry that `kind`=`value` names below `parent` (RFC 4514 2).

    Raises ValueError when the value is blank or holds a control character.
    """
    return f"{rdn(kind, value)},{parent}" if parent else rdn(kind, value)


def rdn(kind: str, value: str) -> str:
    """Return `kind`=`value` as a relative DN; raises ValueError as `child` does."""
    if not value.strip():
        raise ValueError(f"a blank value cannot name an entry ({kind})")
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise ValueError(f"{kind} holds the control character U+{ord(character):04X}")
    return f"{kind}={escape(value)}"


def stored_bytes(rdn: str) -> int:
    """Return how long an RDN from `rdn` is where a server keeps escapes in hexadecimal."""
    return len(rdn.encode()) + len(_ESCAPED.findall(rdn))


def escape(value: str) -> str:
    """Return a value as it stands in a DN (RFC 4514 2.4); it must not be empty.

    Spaces at the ends are written in hexadecimal: 389 Directory Server drops the others.
    """
    text = "".join(f"\\{c}" if c in _SPECIAL else c for c in value)
    if text[0] == "#":
        text = f"\\{text}"
    if text[0] == " ":
        text = f"\\20{text[1:]}"
    if text[-1] == " ":
        text = f"{text[:-1]}\\20"
    return text


@functools.lru_cache(PARSED_NAMES)
def parse(text: str) -> Name:
    """Return the parsed form of a DN in RFC 4514 text; raises ValueError when it is none."""
    if not text:
        return Name(())
    return Name(tuple(tuple(_pair(ava) for ava in _split(rdn, "+")) for rdn in _split(text, ",")))


def key(text: str) -> Key:
    """Return the form in which two DN texts of one entry are equal; raises ValueError."""
    return parse(text).key


def same(one: str, other: str) -> bool:
    """Tell whether two DN texts name the same entry; raises ValueError when one is none."""
    return one == other or key(one) == key(other)


def parent(text: str) -> str:
    """Return the DN above `text`, as it is written; empty above a first-level entry."""
    return ",".join(_split(text, ",")[1:])


def uid(text: str) -> str:
    """Return the uid that names an entry, or empty if another attribute does."""
    kind, value = parse(text).naming or ("", "")
    return value if kind.lower() == "uid" else ""


def below(text: str, base: str) -> bool:
    """Tell whether `text` names `base` or an entry somewhere below it."""
    base_key = key(base)
    return not base_key or key(text)[-len(base_key) :] == base_key


def equals(kind: str, value: str) -> str:
    """Return the filter that matches entries with exactly this value (RFC 4515 3)."""
    return equals_bytes(kind, value.encode())


def equals_bytes(kind: str, value: bytes) -> str:
    """Return the filter that matches entries with exactly these bytes; raises ValueError."""
    if not _TYPE.fullmatch(kind):
        raise ValueError(f"{kind!r} is no attribute type")
    return f"({kind}={_assertion(value)})"


def all_of(*filters: str) -> str:
    """Return the filter that matches where all of `filters` do; empty ones do not count."""
    given = [one for one in filters if one]
    return given[0] if len(given) == 1 else f"(&{''.join(given)})" if given else ""


def any_of(*filters: str) -> str:
    """Return the filter that matches where one of `filters` does."""
    return filters[0] if len(filters) == 1 else f"(|{''.join(filters)})"


def none_of(one: str) -> str:
    """Return the filter that matches where `one` does not."""
    return f"(!{one})"


def _assertion(value: bytes) -> str:
    # Spaces at the ends are escaped because ldap3 strips a filter's parts.
    inner = b" " if value.strip(b" ") == value else b""
    return "".join(
        chr(byte) if _PLAIN.match(bytes([byte])) and (byte != 0x20 or inner) else f"\\{byte:02x}"
        for byte in value
    )


def _split(text: str, separator: str) -> list[str]:
    parts, start, position, quoted = [], 0, 0, False
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == '"':
            quoted = not quoted
        elif not quoted and (
            text[position] == separator or (separator, text[position]) == (",", ";")
        ):
            parts.append(text[start:position])
            start = position + 1
        position += 1
    return [*parts, text[start:]]


def _pair(ava: str) -> Pair:
    kind, equal, value = ava.partition("=")
    kind, value = kind.strip(), value.lstrip(" ")
    if not equal or not _TYPE.fullmatch(kind):
        raise ValueError(f"{ava!r} is no part of a DN")
    # A trailing space counts only when it is escaped.
    stripped = value.rstrip(" ")
    if stripped.endswith("\\") and (len(stripped) - len(stripped.rstrip("\\"))) % 2:
        stripped += " "
    if len(stripped) > 1 and stripped[0] == stripped[-1] == '"':
        stripped = stripped[1:-1]
    if stripped.startswith("#"):
        return kind, stripped
    return kind, _unescaped(stripped)


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    out, position = bytearray(), 0
    for found in _ESCAPED.finditer(value):
        out += value[position : found.start()].encode()
        escaped = found[1]
        out += bytes.fromhex(escaped) if len(escaped) == 2 else escaped.encode()
        position = found.end()
    out += value[position:].encode()
    return out.decode("utf-8", errors="surrogateescape")


def _prepared(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
