"""Hostile values through creation, rename and membership on a real OpenLDAP.

Each is read back exactly, by OpenLDAP's own tools, or refused with a reason; never mangled, and
never written where it does not belong.
"""

from collections.abc import Callable, Iterable, Iterator

from bridge.plugin import ChangeRecord, NotApplied, Park
from bridge_ldap import dn
from plugins.ldap_backend.tests.desk import Desk

SPECIAL = ",+\"\\<>;=#*()&|!~/%$'`?@:^{}[]-_"
"""What some syntax gives a meaning; each leads, stands between and ends."""

HOSTILE = list(dict.fromkeys([
    *(f"{before}{one}{after}" for one in SPECIAL for before, after in ("_n", "pq", "y_")),
    # DN syntax
    "x,ou=admins", "x+cn=y", "a<b>c", '"quoted"', "back\\slash", "trailing\\", "\\2c", "\\,",
    "#616263", "#", "uid=root,dc=example,dc=org", "cn=x+uid=y,ou=z", "x\\2Cou=admins", "\\",
    "uid=x+uid=y", "1.2.840=x", "oid.1.2=x", "#04024869", "\\#x", "a\\ ", "x;ou=admins", ",,,",
    '"x,ou=admins"', "\\E2\\82", "dc=org", "=", "+", ",", "<GUID=x>",
    # filter syntax
    "*", "*)(uid=*", "a*b", "(a)", "!(a)", "|(a)(b)", "&", ")(", "\\2a", "a)(|(b", "(", ")", "**",
    "(uid=*)", "x)(objectClass=*", "*)(|(uid=*", "\\28", "\\00", "uid:=x", "uid:dn:2.5.13.5:=x",
    "x>=y", "x~=y", "(!(uid=x))", "(&)", "(|)", "!",
    # spaces and case
    " lead", "trail ", " both ", "in  side", "\u00a0nbsp", "a\u2003b", "CaSe", "   three", "end   ",
    "\u3000wide", "a\u2009thin", "m   n   o",
    # Unicode
    "Åsa Öberg", "e\u0301", "\u00e9x", "株式会社", "\U0001d4b3", "👩‍👩‍👧", "\u202eevil", "a\u200bb",
    "ß", "ŉ", "İ", "ﬁ", "\ufeffbom", "\u2028line", "\U000e0041tag", "\u2029par", "\u0131", "Ǆ",
    "\u017ft",
    "\u0130x", "Ω\u2126", "\u212bng", "①②", "\u00bdway", "\uff0cwide", "\uff0awide",
    "\uff08x\uff09",
    "\u0661\u0662", "مرحبا", "שלום", "नमस्ते", "한국", "ไทย", "🏴\U000e0067\U000e007f", "🇩🇪",
    "a\u0308\u0323", "\u2066iso\u2069", "\u200fmark", "\u00adsoft", "\ufffdbad", "\ue000private",
    "\U0010fffdlast", "\u0300lone", "o\u0338", "\u037e", "\u2215", "\u1e9b\u0323",
    # other languages' syntax
    "'; DROP TABLE users; --", "{{7*7}}", "${jndi:ldap://x}", "<script>", "%s%n", "../../etc",
    "$(id)", "`id`", "-rf", "urn:uuid:x", "dn: cn=x", "{SSHA}x", ":: eA==", ":< file:///etc/passwd",
    "{0}{userName}", "#{7*7}", "<!-- x", "]]>", "&amp;", "%00", "%2c", "\\u0000", "\\x00",
    "' OR '1'='1", "x/*", ";id", "|id", "&&id", "C:\\x", "//x", "null", "None", "NaN", "true", "0",
    "-1", "1e309", "__proto__", "constructor", "changetype: delete", "version: 1", "{CLEARTEXT}y",
    "%(x)s", ":name", "?x", "ldap://x/dc=y??sub", "mailto:x@y", "first.last+tag@example.com",
    # length
    "x" * 200, "é" * 100, "," * 70, "株" * 70, "👩" * 50, "\\" * 69, "#" * 71,
]))  # fmt: skip

REFUSED = [
    "", " ", "\t", "a\nb", "a\r\ndn: cn=x", "a\0b", "\x7f", "\x1b[31m", "\u0085", "x" * 300,
    "\0", "\n", "x\n", "\rx", "a\x08b", "\x9b31m", "," * 100,
]  # fmt: skip

Problems = Iterator[tuple[str, str]]
"""A text, and what became of it."""


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 200
    assert len(set(REFUSED)) == len(REFUSED)


def test_hostile_names_are_written_exactly(desk: Desk) -> None:
    world, numbered = desk.world, list(enumerate(HOSTILE))

    def all_of(turn: Callable[[int, str], Iterable[ChangeRecord]]) -> Problems:
        for n, text in numbered:
            try:
                for change in turn(n, text):
                    desk.carry(change)
            except NotApplied as refusal:
                yield text, repr(refusal)

    def create(n: int, text: str) -> Iterator[ChangeRecord]:
        yield world.user(f"u{n}", userName=text, title=text, name={"familyName": text})
        yield world.group(f"g{n}", f"u{n}", name=text)

    def rename(n: int, name: str) -> Iterator[ChangeRecord]:
        yield world.update(f"u{n}", userName=name)
        yield world.update(f"g{n}", displayName=name)

    def move(n: int, _text: str) -> Iterator[ChangeRecord]:
        yield world.members(f"g{n}", remove=[f"u{n}"], add=["bob"])

    desk.carry(world.user("bob"))
    assert list(all_of(create)) == []
    assert list(_misread(desk, lambda text: text)) == []
    assert list(all_of(lambda n, text: rename(n, f"2-{text}"))) == []
    assert list(_misread(desk, lambda text: f"2-{text}")) == []
    assert list(all_of(rename)) == []
    assert list(_misread(desk, lambda text: text)) == []
    assert list(all_of(move)) == []
    assert list(_misread(desk, lambda text: text, member="bob")) == []
    assert list(_out_of_sync(desk)) == []
    assert list(all_of(lambda n, _: world.delete(f"u{n}"))) == []
    assert len(desk.directory.search("(objectClass=inetOrgPerson)", ("uid",))) == 1


def _misread(desk: Desk, name: Callable[[str], str], *, member: str = "") -> Problems:
    """Everybody and every group, as the directory holds them."""
    found = {dn.key(at): entry for at, entry in desk.directory.search().items()}
    assert len(found) == 2 * len(HOSTILE) + 5, "the base, three units and bob besides"
    for n, text in enumerate(HOSTILE):
        person, group = (found.get(dn.key(desk.name(f"{kind}{n}")), {}) for kind in "ug")
        if person.get("uid") != (name(text),) or group.get("cn") != (name(text),):
            yield text, f"named {person.get('uid')} and {group.get('cn')}"
        if not person.get("sn") == person.get("title") == (text,):
            yield text, f"is {person.get('sn')} and {person.get('title')}"
        members = [dn.key(one) for one in group.get("member", ())]
        if members != [dn.key(desk.name(member or f"u{n}"))]:
            yield text, f"has members {members}"


def _out_of_sync(desk: Desk) -> Problems:
    for snapshot in desk.world.snapshots():
        (observed,) = desk.backend.observe([snapshot], desk.links)
        if steps := desk.backend.plan([snapshot], desk.links, observed).steps:
            yield snapshot.entity.id, repr(steps)


def test_hostile_names_are_refused_and_nothing_written(desk: Desk) -> None:
    world = desk.world
    for handle in ("ann", "bob"):
        desk.carry(world.user(handle))
    desk.carry(world.group("sales", "ann"))
    before = desk.directory.search()
    assert list(_taken(desk)) == []
    assert desk.directory.search() == before


def _taken(desk: Desk) -> Problems:
    world = desk.world
    for n, text in enumerate(REFUSED):
        for change in (
            world.user(f"u{n}", userName=text),
            world.group(f"g{n}", "bob", name=text),
            world.update("ann", userName=text),
            world.update("sales", displayName=text),
        ):
            # The world names a nameless group.
            if change.after != {"displayName": f"g{n}"} and not _is_refused(desk, change):
                yield text, f"{change.operation} of a {change.entity.type}"


def _is_refused(desk: Desk, change: ChangeRecord) -> bool:
    try:
        desk.carry(change)
    except Park as refusal:
        return bool(refusal.next_step)
    return False
