"""Hostile values through creation, rename and membership on a real OpenLDAP.

Each is read back exactly, by OpenLDAP's own tools, or refused with a reason; never mangled, and
never written where it does not belong.
"""

import pytest

from bridge.plugin import Park
from bridge_ldap import dn
from plugins.ldap_backend.tests.desk import Desk

HOSTILE = [
    # DN syntax
    "x,ou=admins", "x+cn=y", "a;b", "a=b", "a<b>c", '"quoted"', "back\\slash", "trailing\\",
    "\\2c", "\\,", "#616263", "#", "x,", ",x", "uid=root,dc=example,dc=org", "cn=x+uid=y,ou=z",
    # filter syntax
    "*", "*)(uid=*", "a*b", "(a)", "!(a)", "|(a)(b)", "&", ")(", "\\2a", "a)(|(b",
    # spaces and case
    " lead", "trail ", " both ", "in  side", "\u00a0nbsp", "a\u2003b", "CaSe",
    # Unicode
    "Åsa Öberg", "e\u0301", "\u00e9x", "株式会社", "\U0001d4b3", "👩‍👩‍👧", "\u202eevil", "a\u200bb",
    "ß", "ŉ", "İ", "ﬁ", "\ufeffbom", "\u2028line", "\U000e0041tag",
    # other languages' syntax
    "'; DROP TABLE users; --", "{{7*7}}", "${jndi:ldap://x}", "<script>", "%s%n", "../../etc",
    "$(id)", "`id`", "-rf", "urn:uuid:x", "dn: cn=x", "{SSHA}x",
    # length
    "x" * 200, "é" * 100, "," * 70,
]  # fmt: skip

REFUSED = ["", " ", "\t", "a\nb", "a\r\ndn: cn=x", "a\0b", "\x7f", "\x1b[31m", "\u0085", "x" * 300]


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 40


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_name_is_written_exactly(desk: Desk, text: str) -> None:
    world = desk.world
    desk.carry(world.user("bob"))
    desk.carry(world.user("ann", userName=text, title=text, name={"familyName": text}))
    desk.carry(world.group("sales", "ann", name=text))

    def expect(name: str) -> None:
        found = {dn.key(at): entry for at, entry in desk.directory.search().items()}
        ann, sales = (found[dn.key(desk.name(handle))] for handle in ("ann", "sales"))
        assert ann["uid"] == (name,)
        assert ann["sn"] == ann["title"] == (text,)
        assert sales["cn"] == (name,)
        assert [dn.key(member) for member in sales["member"]] == [dn.key(desk.name("ann"))]
        assert len(found) == 7, "the base, three units, two people and a group"

    expect(text)
    other = f"2-{text}"
    desk.carry(world.update("ann", userName=other))
    desk.carry(world.update("sales", displayName=other))
    expect(other)
    desk.carry(world.update("ann", userName=text))
    desk.carry(world.update("sales", displayName=text))
    expect(text)
    desk.carry(world.members("sales", remove=["ann"], add=["bob"]))
    assert [dn.key(m) for m in desk.entry("sales")["member"]] == [dn.key(desk.name("bob"))]
    for snapshot in world.snapshots():
        (observed,) = desk.backend.observe([snapshot], desk.links)
        assert desk.backend.plan([snapshot], desk.links, observed).steps == ()
    for change in world.delete("ann"):
        desk.carry(change)
    assert len(desk.directory.search("(objectClass=inetOrgPerson)", ("uid",))) == 1


@pytest.mark.parametrize("text", REFUSED)
def test_hostile_name_is_refused_and_nothing_written(desk: Desk, text: str) -> None:
    for change in (desk.world.user("ann", userName=text), desk.world.group("sales", name=text)):
        if change.after != {"displayName": "sales"}:  # the world names a nameless group
            with pytest.raises(Park) as parked:
                desk.carry(change)
            assert parked.value.next_step
    assert desk.directory.search("(|(objectClass=inetOrgPerson)(cn=*))", ("uid",)) == {}
