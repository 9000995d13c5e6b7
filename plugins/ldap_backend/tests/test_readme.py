"""The README's tables are true."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge.plugin import Secret
from bridge_ldap import rules
from bridge_ldap.results import OUTCOMES, Code
from bridge_ldap.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
RULES = README.partition("## Mapping rules")[2].partition("##")[0]


def keys(cls: type[Any], above: str = "") -> Iterator[str]:
    attrs.resolve_types(cls)
    for field in attrs.fields(cls):
        if attrs.has(field.type) and field.type is not Secret:
            yield from keys(field.type, f"{above}{field.name}.")
        else:
            yield f"{above}{field.name}"


def test_every_setting_is_in_the_table_and_nothing_else() -> None:
    table = README.partition("## Settings")[2].partition("## Mapping")[0]
    listed = {
        key
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for key in re.findall(r"`(.*?)`", row)
    }
    assert listed == {*keys(Settings), "bind_password_file"}


@pytest.mark.parametrize("line", re.findall(r"^(\w+ = .*)$", RULES, re.MULTILINE))
def test_every_example_of_a_rule_is_one(line: str) -> None:
    value = re.sub(r"\s+#.*", "", line.partition(" = ")[2])[1:-1]
    assert not value or rules.parse(value).text == value


def test_every_sorted_code_is_in_its_row() -> None:
    rows = re.findall(
        r"^\| ([^|]*?) \| ([^|]*?) \|$", README.partition("result code means")[2], re.MULTILINE
    )
    said = {
        int(code): meaning for codes, meaning in rows for code in re.findall(r"\b\d{1,3}\b", codes)
    }
    for code in Code:
        expected = {"RetryLater": "tries again", "BackendDown": "opens the backend's circuit"}
        outcome = OUTCOMES.get(code)
        if outcome and outcome.__name__ in expected:
            assert said[code].startswith(expected[outcome.__name__]), code
