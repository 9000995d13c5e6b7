"""The server's schema is understood as far as mappings depend on it."""

import pytest

from bridge_ldap import schema

KNOWN = schema.parse(
    [
        "( 2.5.6.0 NAME 'top' DESC 'top of ( MUST sn )' ABSTRACT MUST objectClass )",
        "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( seeAlso $ title ) )",
        "( 2.16.840.1.113730.3.2.2 NAME ( 'inetOrgPerson' 'iop' ) SUP person MAY ( mail $ uid ) )",
        "( 1.2.3 NAME 'loop' SUP loop )",
        "( 1.2.4 SUP top )",
    ],
    [
        "( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )",
        "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )",
        "( 0.9.2342.19200300.100.1.3 NAME ( 'mail' 'rfc822Mailbox' ) )",
        "( 2.16.840.1 NAME 'preferredLanguage' DESC 'say SINGLE-VALUE' SINGLE-VALUE )",
        "( 2.5.4.20 NAME 'telephoneNumber' DESC 'not SINGLE-VALUE' )",
    ],
)


def test_what_an_entry_must_have_comes_from_all_superclasses() -> None:
    assert KNOWN.must(["InetOrgPerson"]) == {"objectclass", "sn", "cn"}
    assert KNOWN.must(["iop"]) == KNOWN.must(["inetOrgPerson"])
    assert KNOWN.must(["loop"]) == frozenset()


@pytest.mark.parametrize(
    ("attribute", "allowed"),
    [("surname", True), ("MAIL", True), ("rfc822Mailbox", True), ("preferredLanguage", False)],
)
def test_what_is_allowed_goes_by_every_name(attribute: str, allowed: bool) -> None:
    assert KNOWN.knows(attribute)
    assert KNOWN.allows(attribute, ["inetOrgPerson"]) is allowed


def test_unknown_names_are_unknown() -> None:
    assert not KNOWN.knows("nothing")
    assert not KNOWN.allows("nothing", ["inetOrgPerson"])


def test_descriptions_are_not_read() -> None:
    assert KNOWN.single_valued == {"preferredlanguage"}
