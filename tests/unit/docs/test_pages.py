"""What the pages say is true: links and paths exist, names resolve, quoted files are those files.

Rule: a page that names something of the code is held against the code.
"""

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"

LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")
NAME = re.compile(r"`(bridge(?:_\w+)?(?:\.\w+)+)`")
PATH = re.compile(r"`((?:bridge|plugins|tests|docs|deploy|bench|scripts)/[\w./-]+)`")
QUOTED = re.compile(r"<!-- file: (\S+) -->\n```\w*\n(.*?)```", re.DOTALL)
FILES = (".py", ".md", ".toml", ".db", ".key", ".log")
"""Endings of names that look like a module's and are a file's."""


def pages() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def resolves(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


@pages()
def test_every_link_leads_somewhere(page: Path) -> None:
    found = LINK.findall(page.read_text())
    assert [link for link in found if not (page.parent / link).exists()] == []


@pages()
def test_every_path_exists(page: Path) -> None:
    found = PATH.findall(page.read_text())
    assert [path for path in found if not (ROOT / path).exists()] == []


@pages()
def test_every_name_resolves(page: Path) -> None:
    names = [name for name in NAME.findall(page.read_text()) if not name.endswith(FILES)]
    assert [name for name in names if not resolves(name)] == []


@pages()
def test_a_quoted_file_is_that_file(page: Path, request: pytest.FixtureRequest) -> None:
    text = page.read_text()

    def quote(found: re.Match[str]) -> str:
        fence, _, _ = found.group(0).partition("\n```")
        language = found.group(0).split("```", 1)[1].partition("\n")[0]
        content = (ROOT / found.group(1)).read_text().rstrip("\n")
        return f"{fence}\n```{language}\n{content}\n```"

    quoted = QUOTED.sub(quote, text)
    if request.config.getoption("--golden-update") and quoted != text:
        page.write_text(quoted)
    assert page.read_text() == quoted, "make golden ARGS=tests/unit/docs"


def test_the_architecture_page_has_something_to_check() -> None:
    text = ARCHITECTURE.read_text()
    assert len(NAME.findall(text)) > 20
    assert len(QUOTED.findall(text)) == 2


def rooms() -> Iterator[str]:
    """The layers of the import contract that exist, as the page writes them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [c["layers"] for c in contracts["contracts"] if c["id"] == "layers"]
    for layer in layers:
        names = [name.strip("() ") for name in layer.split("|")]
        there = [name for name in names if list((ROOT / "bridge").glob(f"{name}*"))]
        yield " | ".join(there)


def test_the_layer_line_is_the_import_contract() -> None:
    assert f"    {' > '.join(rooms())}\n" in ARCHITECTURE.read_text()
