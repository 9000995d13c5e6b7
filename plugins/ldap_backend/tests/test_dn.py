"""Distinguished names and filters survive every value, or refuse it (RFC 4514, RFC 4515).

The traps of ldap3's own escaping that made us write this are named as tests.
"""

import contextlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import compile_filter, parse_filter

from bridge_ldap import dn

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
nameable = texts.filter(
    lambda text: bool(text.strip()) and all(unicodedata.category(c) != "Cc" for c in text)
)


@given(nameable, nameable)
def test_a_name_reads_back_as_it_was_written(first: str, second: str) -> None:
    made = dn.child("uid", first, dn.child("ou", second, "dc=example,dc=org"))
    assert dn.parse(made).rdns == (
        (("uid", first),),
        (("ou", second),),
        (("dc", "example"),),
        (("dc", "org"),),
    )
    assert dn.same(made, made.replace("uid=", "UID= ", 1))
    assert dn.parent(made) == dn.child("ou", second, "dc=example,dc=org")


@given(nameable)
def test_case_does_not_tell_names_apart(text: str) -> None:
    assert dn.key(dn.rdn("cn", text)) == dn.key(dn.rdn("CN", f" {text} "))


@given(texts)
def test_a_value_in_a_filter_is_that_value(text: str) -> None:
    node = parse_filter(dn.equals("cn", text), None, False, False, None, False)
    compiled = compile_filter(node.elements[0])
    assert bytes(compiled["equalityMatch"]["assertionValue"]).decode() == text


@given(st.text(max_size=30))
def test_parsing_any_text_ends_in_a_name_or_a_refusal(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert bool(dn.parse(text).rdns) == bool(text)


@pytest.mark.parametrize("blank", ["", " ", "   ", "\u00a0", "\u2003"])
def test_a_blank_value_is_refused(blank: str) -> None:
    """ldap3's escape_rdn raises IndexError on '' and makes a backslash of ' '."""
    with pytest.raises(ValueError, match="blank"):
        dn.rdn("cn", blank)


@pytest.mark.parametrize("character", [chr(n) for n in (*range(32), *range(127, 160))])
def test_a_control_character_is_refused(character: str) -> None:
    """ldap3's escape_rdn writes NUL as a backslash and NUL, and lets a newline through."""
    with pytest.raises(ValueError, match="control character"):
        dn.rdn("cn", f"a{character}b")


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="U\\+D800"):
        dn.rdn("cn", "a\ud800")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("x,ou=admins", "x\\,ou\\=admins"),
        ("a+b", "a\\+b"),
        ('say "hi"', 'say \\"hi\\"'),
        ("#hash", "\\#hash"),
        (" lead", "\\20lead"),
        ("trail ", "trail\\20"),
        ("back\\slash", "back\\\\slash"),
        ("a<b>c;d", "a\\<b\\>c\\;d"),
        ("Åsa", "Åsa"),
    ],
)
def test_special_characters_are_escaped(value: str, written: str) -> None:
    assert dn.rdn("cn", value) == f"cn={written}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cn=a\\2Cb", "a,b"),
        ("cn=\\C3\\A5sa", "åsa"),
        ("cn=  spaced  ", "spaced"),
        ("cn=ends\\20", "ends "),
        ("cn=ends\\ ", "ends "),
        ('cn="a,b"', "a,b"),
        ("cn=a\\\\", "a\\"),
    ],
)
def test_every_way_of_escaping_is_read(text: str, value: str) -> None:
    assert dn.parse(text).naming == ("cn", value)


def test_many_valued_names_compare_in_any_order() -> None:
    assert dn.same("cn=a+uid=b,dc=org", "UID=B + CN=A,DC=org")
    assert dn.parse("cn=a+uid=b").naming is None


@pytest.mark.parametrize("text", ["cn", "=x", "a b=c", "cn=a,,dc=org", "1=x"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no part of a DN"):
        dn.parse(text)


def test_below_compares_names_not_texts() -> None:
    assert dn.below("uid=a,OU=People,dc=org", "ou=people, dc=org")
    assert dn.below("dc=org", "dc=org")
    assert not dn.below("uid=a,ou=otherpeople,dc=org", "ou=people,dc=org")


def test_an_attribute_type_cannot_smuggle_a_filter() -> None:
    with pytest.raises(ValueError, match="no attribute type"):
        dn.equals("cn=*)(uid", "x")


def test_filters_combine() -> None:
    one, other = dn.equals("cn", "a"), dn.equals("cn", "b")
    assert dn.all_of(one, "", dn.none_of(other)) == "(&(cn=a)(!(cn=b)))"
    assert dn.all_of(one, "") == one
    assert dn.all_of("") == ""
