"""What the house keeps everywhere: small modules, said purpose, honest names, no notes to oneself.

Every rule is a function from a file's text to its offences, and is first shown to find one.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE_LINES = 400
FUNCTION_LINES = 50
NOTE = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b")
VAGUE = re.compile(r"(^|_)(utils?|helpers?|manager|data|info)$|(Utils?|Helper|Manager|Data|Info)$")
CLOCKS = {"now", "utcnow", "today", "open", "print", "input", "eval", "exec", "__import__"}


def tracked(*patterns: str) -> list[Path]:
    """The repository's files (committed or about to be) that match."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def long_module(path: Path, text: str) -> Iterator[str]:
    if (lines := text.count("\n")) > MODULE_LINES:
        yield f"{lines} lines, more than {MODULE_LINES}"


def long_function(path: Path, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > FUNCTION_LINES:
                yield f"the body of {node.name} has {lines} lines, more than {FUNCTION_LINES}"


def no_purpose(path: Path, text: str) -> Iterator[str]:
    if text.strip() and not ast.get_docstring(ast.parse(text)):
        yield "no module docstring"


def vague_name(path: Path, text: str) -> Iterator[str]:
    classes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))
    for name in (path.stem, *(node.name for node in classes)):
        if VAGUE.search(name):
            yield f"the name {name} says nothing"


def impure_call(path: Path, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in CLOCKS:
                yield f"line {node.lineno} calls {name}"


def note(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if NOTE.search(line):
            yield f"line {number} is a note to oneself"


def place_of_this_checkout(path: Path, text: str) -> Iterator[str]:
    if str(ROOT) in text:
        yield "names the folder it was written in"


def package_index(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"https?://|--(extra-)?index|--find-links|--trusted-host", line):
            yield f"line {number} says where packages come from"


def prints(path: Path, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id == "print":
            yield f"line {node.lineno} prints"


def ldap_library(path: Path, text: str) -> Iterator[str]:
    if path.name != "wire.py" and re.search(r"^\s*(import|from) ldap3\b", text, re.MULTILINE):
        yield "knows ldap3, which only wire.py may"


def private_import(path: Path, text: str) -> Iterator[str]:
    for found in re.findall(r"(?m)^\s*(?:from|import) (bridge(?:\.\w+)*)(?!\w)", text):
        if found not in {"bridge.plugin", "bridge.testing"}:
            yield f"imports {found}, which is not for plugins"


Rule = Callable[[Path, str], Iterator[str]]
PYTHON = ("*.py",)
SHIPPED = ("bridge/**.py", "plugins/*/src/**.py")
RULES: dict[str, tuple[Rule, tuple[str, ...], str]] = {
    "modules are short": (long_module, PYTHON, "x\n" * (MODULE_LINES + 1)),
    "functions fit a screen": (
        long_function,
        PYTHON,
        "def f() -> None:\n" + "    x\n" * (FUNCTION_LINES + 1),
    ),
    "modules say what they are": (no_purpose, PYTHON, "x = 1\n"),
    "names say what they name": (vague_name, PYTHON, "class ConnectionManager: ...\n"),
    "the core neither waits nor looks": (impure_call, ("bridge/core/**.py",), "datetime.now()\n"),
    "nothing is left for later": (note, ("*",), "# TO" + "DO: later\n"),
    "files know no machine": (place_of_this_checkout, ("*",), f"cd {ROOT}\n"),
    "build files name no package index": (
        package_index,
        (
            "*.lock",
            "requirements*",
            "Makefile",
            ".ci/*",
            "scripts/*",
            "deploy/openldap/*",
            "*.toml",
        ),
        "--index-url somewhere\n",
    ),
    "only the command line prints": (
        prints,
        (*SHIPPED, ":!bridge/cli", ":!bridge/testing"),
        "print(1)\n",
    ),
    "examples need nothing but what is public": (
        private_import,
        ("examples/**.py", "bridge/cli/new_plugin/**.template"),
        "from bridge.core.changes import between\n",
    ),
    "one file knows the LDAP library": (ldap_library, SHIPPED, "import ldap3\n"),
}


@pytest.mark.parametrize("name", RULES)
def test_the_house_rule(name: str) -> None:
    rule, patterns, offence = RULES[name]
    assert list(rule(Path("breach.py"), offence)), "the rule does not find what it is for"

    files = tracked(*patterns)
    assert files
    offences = [
        f"{path.relative_to(ROOT)}: {found}"
        for path in files
        for found in rule(path, path.read_text(errors="replace"))
    ]
    assert not offences, "\n".join(offences)
