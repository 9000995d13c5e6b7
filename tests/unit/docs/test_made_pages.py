"""Pages that are made from code and tests say what those say. `make golden ARGS=tests/unit/docs`.

`dialects.md` is made from the names of the tests, `profiles.md` from the tolerances.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.core.schema import PROFILES, Quirk, tolerance

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "reference"

GROUPS = {"O": ("Okta", 46), "E": ("Microsoft Entra ID", 19), "R": ("RFC 7643 and RFC 7644", 51)}
"""Whose items they are, and how many."""

OVER_HTTP = ("dialects", "integration")

NAME = re.compile(r"test_((?:(?:to_)?[OER]_\d+_)+)(\w+)")

Proofs = dict[str, list[tuple[str, bool]]]
"""By item: what each of its tests says, and whether that is shown over HTTP."""


def proofs() -> Proofs:
    found: Proofs = {}
    for path in sorted([*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("plugins/*/tests/test_*.py")]):
        over_http = path.relative_to(ROOT).parts[1] in OVER_HTTP
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
                match := NAME.fullmatch(node.name)
            ):
                said = match[2].replace("_", " ")
                for item in items(match[1]):
                    found.setdefault(item, []).append((said, over_http))
    return found


def items(named: str) -> Iterator[str]:
    """What a test's name begins with as items: `R_18_to_R_20_` are three, `O_1_O_5_` two."""
    last = 0
    for to, letter, number in re.findall(r"(to_)?([OER])_(\d+)", named):
        for each in range(last + 1 if to else int(number), int(number) + 1):
            yield f"{letter}-{each}"
        last = int(number)


def dialects() -> str:
    found = proofs()
    lines = [
        "# Dialects",
        "",
        "What identity providers send, and what the standard asks for, item by item, each with the",
        "tests that prove it. The sentences are the names of the tests: `O-34` is shown by",
        "`test_O_34_…`. What is shown over HTTP runs against a real server with a real journal.",
        "",
    ]
    for letter, (whose, count) in GROUPS.items():
        all_items = [f"{letter}-{number}" for number in range(1, count + 1)]
        lines += [f"## {whose}", "", "| Item | Shown over HTTP | Further tests |", "|---|---|---|"]
        lines += [row(item, found[item]) for item in all_items if item in found]
        missing = [item for item in all_items if item not in found]
        lines += ["", f"Without a test: {', '.join(missing) or 'none'}.", ""]
    return "\n".join(lines)


def row(item: str, tests: list[tuple[str, bool]]) -> str:
    shown = dict.fromkeys(said for said, over_http in tests if over_http)
    others = len([said for said, over_http in tests if not over_http])
    return f"| {item} | {'; '.join(shown)} | {others or ''} |"


def profiles() -> str:
    names = list(PROFILES)
    lines = [
        "# Profiles",
        "",
        "Each connection has a profile: how far its requests may depart from the standard.",
        "`bridge connection create NAME --profile PROFILE` sets it. What is not allowed answers",
        "400; what is accepted is counted in the metric `bridge_tolerated_total` by profile and",
        "departure, and named in the audit row of the change.",
        "",
        f"| Departure | Meaning | {' | '.join(names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    for quirk, said in quirks():
        marks = " | ".join("yes" if quirk in PROFILES[name].allowed else "" for name in names)
        lines.append(f"| `{quirk}` | {said} | {marks} |")
    return "\n".join([*lines, ""])


def quirks() -> Iterator[tuple[Quirk, str]]:
    """Each departure with its docstring."""
    tree = ast.parse(Path(tolerance.__file__).read_text(encoding="utf-8"))
    (body,) = (n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Quirk")
    for member, said in zip(body[1::2], body[2::2], strict=True):
        assert isinstance(member, ast.Assign)
        assert isinstance(said, ast.Expr)
        assert isinstance(member.targets[0], ast.Name)
        text = ast.literal_eval(said.value)
        yield Quirk[member.targets[0].id], " ".join(text.split()).replace("|", r"\|")


@pytest.mark.parametrize("make", [dialects, profiles], ids=["dialects", "profiles"])
def test_the_page_says_what_the_code_says(
    make: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    made = make()
    page = PAGES / f"{request.node.callspec.id}.md"
    if request.config.getoption("--golden-update"):
        page.write_text(made, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == made, "make golden ARGS=tests/unit/docs"


def test_every_item_is_shown_over_http() -> None:
    found = proofs()
    wanted = [f"{letter}-{n}" for letter, (_, c) in GROUPS.items() for n in range(1, c + 1)]
    assert [i for i in wanted if not any(http for _, http in found.get(i, ()))] == []
