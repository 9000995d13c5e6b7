"""Every code that the host can print is explained, and nothing else is."""

import re
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.cli.explanations import explanations

SOURCE = Path(__file__).parents[3] / "bridge"
CODE = re.compile(r'"(BRG-[A-Z0-9-]*[A-Z0-9])"')


def printed_codes() -> set[str]:
    return {code for file in SOURCE.rglob("*.py") for code in CODE.findall(file.read_text())}


def test_every_code_in_the_source_is_explained() -> None:
    assert printed_codes() == set(explanations())


def test_an_explanation_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "brg-journal-locked"]) == 0
    assert "Another process serves this journal." in capsys.readouterr().out


def test_an_unknown_code_names_those_that_are_near(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "BRG-JOURNAL-LOCKE"]) == 1
    assert "BRG-JOURNAL-LOCKED" in capsys.readouterr().err
