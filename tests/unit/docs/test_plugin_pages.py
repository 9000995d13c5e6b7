"""The pages of the plugin contract say what the code says. `make golden ARGS=tests/unit/docs`.

`plugin-contract.md` is made from what `bridge.plugin` exports, `plugin-laws.md` from the contract
suite and from the defects that show each law failing.
"""

import enum
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge import plugin
from bridge.plugin import Backend, NotApplied
from bridge.testing import BackendContract
from tests.contract.defects import DEFECTS

PAGES = Path(__file__).parents[3] / "docs" / "reference"


def contract() -> str:
    exported = {name: getattr(plugin, name) for name in plugin.__all__}
    types = {name: one for name, one in exported.items() if inspect.isclass(one)}
    outcomes = {n: one for n, one in types.items() if issubclass(one, NotApplied)}
    ports = {n: one for n, one in types.items() if getattr(one, "_is_protocol", False)}
    values = {n: one for n, one in types.items() if n not in {*outcomes, *ports}}
    rest = {n: one for n, one in exported.items() if n not in types}
    lines = [
        "# The plugin contract",
        "",
        f"What `bridge.plugin` exports is version {plugin.CONTRACT_VERSION} of the contract. A",
        "plugin imports nothing else of the bridge. What a backend promises beyond its signatures",
        "is written in [the laws](plugin-laws.md).",
        "",
        "## The hook",
        "",
        "A distribution has an entry point in group `bridge` whose name is the backend's type, and",
        "whose module has this function:",
        "",
        "```python",
        "@hookimpl",
        "def bridge_backend_types() -> Sequence[BackendType]: ...",
        "```",
        "",
        said(plugin.bridge_backend_types),
        "",
        "## The port",
        "",
        *(line for name in sorted(ports, key=port_order) for line in port(name, ports[name])),
        "## Outcomes",
        "",
        "`plan` and `execute` return, or raise one of these. Whatever else a plugin raises ends",
        "with its change: it is told by its class and place, never by its text.",
        "",
        "| Raise | When |",
        "|---|---|",
        *(
            f"| `{signature(name, one)}` | {said(one, cell=True)} |"
            for name, one in outcomes.items()
        ),
        "",
        "## Values",
        "",
        *(line for name, one in values.items() for line in value(name, one)),
        "## Constants and functions",
        "",
        *(f"- `{name}`{constant(one)}" for name, one in rest.items()),
        "",
    ]
    return "\n".join(lines)


def port_order(name: str) -> tuple[bool, str]:
    return (name != Backend.__name__, name)


def port(name: str, protocol: type[Any]) -> Iterator[str]:
    yield from (f"### {name}", "", said(protocol), "")
    for method, function in vars(protocol).items():
        if isinstance(function, property):
            yield from (f"#### `{method}`", "", said(function), "")
        elif inspect.isfunction(function) and not method.startswith("__"):
            arguments = [p for p in inspect.signature(function).parameters if p != "self"]
            yield from (f"#### `{method}({', '.join(arguments)})`", "", said(function), "")


def value(name: str, kind: type[Any]) -> Iterator[str]:
    yield from (f"### {name}", "", said(kind), "")
    if attrs.has(kind):
        yield f"Fields: {', '.join(f'`{field.name}`' for field in attrs.fields(kind))}."
        yield ""
    elif issubclass(kind, enum.Enum):
        yield f"One of {', '.join(f'`{member.value}`' for member in kind)}."
        yield ""


def signature(name: str, kind: type[Any]) -> str:
    fields = [f for f in attrs.fields(kind) if f.init and not f.kw_only]
    return f"{name}({', '.join(field.name for field in fields)})"


def constant(one: Any) -> str:
    if isinstance(one, int | str):
        return f" = `{one!r}`"
    text = said(one, cell=True) if inspect.isfunction(one) else ""
    return f": {text}" if text else ""


def said(one: Any, *, cell: bool = False) -> str:
    text = inspect.cleandoc(one.__doc__ or "")
    return " ".join(text.split()).replace("|", r"\|") if cell else text


def laws() -> str:
    found: dict[str, list[str]] = {}
    for defect, names in DEFECTS.items():
        for name in names:
            found.setdefault(name, []).append(" ".join((defect.__doc__ or "").split()))
    kinds = [kind for kind in BackendContract.__mro__ if kind.__name__.endswith("Laws")]
    count = sum(len(own(kind)) for kind in kinds)
    lines = [
        "# The laws of a backend",
        "",
        f"The contract suite of `bridge.testing`: {count} laws, tried on a real target. Their",
        "names are those of the tests. Beside each stands a backend that breaks it: the bridge's",
        "own tests run them all and see the law fail.",
        "",
        "A law that a target cannot show (no harness verb, no such capability) is skipped, and",
        "says why. Most laws of following and crossing are tried on every history of",
        "`bridge.testing.journeys`.",
        "",
    ]
    for kind in kinds:
        module = inspect.getmodule(kind)
        lines += [f"## {said(module).splitlines()[0].rstrip('.')}", ""]
        lines += ["| Law | Is broken by a backend that |", "|---|---|"]
        for name in own(kind):
            broken = "; ".join(text.rstrip(".").lower() for text in found[name])
            lines.append(f"| {name.removeprefix('test_').replace('_', ' ')} | {broken} |")
        lines.append("")
    return "\n".join(lines)


def own(kind: type[Any]) -> list[str]:
    return [name for name in vars(kind) if name.startswith("test_")]


@pytest.mark.parametrize("make", [contract, laws], ids=["plugin-contract", "plugin-laws"])
def test_the_page_says_what_the_code_says(
    make: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    made = make()
    page = PAGES / f"{request.node.callspec.id}.md"
    if request.config.getoption("--golden-update"):
        page.write_text(made, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == made, "make golden ARGS=tests/unit/docs"


def test_everything_exported_is_explained() -> None:
    page = (PAGES / "plugin-contract.md").read_text(encoding="utf-8")
    assert [name for name in plugin.__all__ if f"{name}" not in page] == []
    silent = [
        name
        for name in plugin.__all__
        if inspect.isclass(one := getattr(plugin, name)) and not inspect.getdoc(one)
    ]
    assert silent == []
