"""Mapping rules: what each says about a document, and which are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_ldap import rules
from bridge_ldap.sections import ENTERPRISE, GROUP_RULES, USER_RULES

ANN: dict[str, Any] = {
    "userName": "Ann@Example.com",
    "name": {"givenName": "Ann", "familyName": "Archer"},
    "title": "",
    "active": False,
    "emails": [
        {"value": "home@example.com", "type": "home"},
        {"value": "work@example.com", "type": "work"},
        {"value": "first@example.com", "type": "other", "primary": True},
        {"value": "WORK@example.com", "type": "x"},
    ],
    ENTERPRISE: {"department": "Sales", "manager": {"value": "42"}, "costCenter": 7},
}


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("userName", ["Ann@Example.com"]),
        ("lower(userName)", ["ann@example.com"]),
        ("name.givenName", ["Ann"]),
        ("name.middleName", []),
        ("title", []),
        ("title | name.givenName", ["Ann"]),
        ("active", ["FALSE"]),
        ("emails.value", ["first@example.com"]),
        ("emails", ["first@example.com"]),
        ("all(emails)", ["first@example.com", "home@example.com", "work@example.com"]),
        ('emails[type eq "WORK"].value', ["work@example.com"]),
        ('emails[type eq "none"].value', []),
        ("emails[primary eq true].type", ["other"]),
        ('lower(all(emails[type eq "x"]))', ["work@example.com"]),
        ("{name.givenName} {name.familyName}", ["Ann Archer"]),
        ("{name.middleName} {name.familyName}", ["Archer"]),
        ("({name.middleName}) {title}", []),
        ('"Example | Inc."', ["Example | Inc."]),
        ('title | "none"', ["none"]),
        (f"{ENTERPRISE}:department", ["Sales"]),
        (f"{ENTERPRISE}:manager.value", ["42"]),
        (f"{ENTERPRISE}:costCenter", ["7"]),
        ("urn:example:absent:department", []),
        ("userName.value", []),
        ("upper(userName)", ["ANN@EXAMPLE.COM"]),
        ("lower({name.familyName}, {name.givenName})", ["archer, ann"]),
        ("first(emails.value)", ["first@example.com"]),
        (
            'join("; ", emails.value)',
            [
                "; ".join(
                    e["value"]
                    for e in (
                        {"value": "first@example.com"},
                        {"value": "home@example.com"},
                        {"value": "work@example.com"},
                        {"value": "WORK@example.com"},
                    )
                )
            ],
        ),
        ('join(", ", title)', []),
        ('before("@", userName)', ["Ann"]),
        ('lower(before("@", userName))', ["ann"]),
        ('before("@", name.givenName)', ["Ann"]),
        ('if(active, "yes", "no, never")', ["no, never"]),
        ('if(emails[type eq "other"].primary, "yes", "no")', ["yes"]),
        ('if(title, "yes", "no") | "neither"', ["neither"]),
        (f"dn({ENTERPRISE}:manager.value)", ["42"]),
    ],
)
def test_rule_reads(rule: str, values: list[str]) -> None:
    assert list(rules.parse(rule).values(ANN)) == values


@pytest.mark.parametrize(
    "rule",
    ["", "|", "a |", "title(userName)", "join(emails)", "before(x, userName)", 'if(active, "a")',
     "dn()", "dn(a) | b", "a | dn(b)", "lower(dn(a))", "emails[type eq x]",
     'emails[type ne "x"]', "{name", "name}", "a b", "__import__('os')", "a..b", "x" * 1001,
     "{name.givenName} {", "{}"],
)  # fmt: skip
def test_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        rules.parse(rule)


@given(st.text('ab|(){}[]". eqltr', max_size=40))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = rules.parse(text)
    except ValueError:
        return
    assert all(rule.values(ANN) or ["empty"])


def test_default_rules_are_rules() -> None:
    for text in (*USER_RULES.values(), *GROUP_RULES.values()):
        assert rules.parse(text).text == text
