"""The reference pages say what the code says. `make golden ARGS=tests/unit/cli` writes them anew.

What stands between the two markers of a page is made here; the rest of it is written by hand.
"""

import enum
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge.cli import app
from bridge.cli.explanations import explanations
from bridge.config import Configuration
from bridge.config.model import MEANING
from bridge.config.structuring import alternatives, field_types
from bridge.core.secret import Secret
from bridge.loading import load_backend_types

PAGES = Path(__file__).parents[3] / "docs" / "reference"
BEGIN, END = "<!-- made from the code: begin -->", "<!-- made from the code: end -->"
FIRST_PARTY = ("ldap", "sql", "webhook")


def configuration() -> str:
    sections = [(name, f"[{name}]") for name in ("server", "scim", "journal", "log", "plugins")]
    kinds = field_types(Configuration)
    lines = []
    for name, title in sections:
        lines += [f"## `{title}`", "", *table(kinds[name]), ""]
    (backend, _) = typing.get_args(kinds["backends"])
    lines += ["## `[[backends]]`", "", *table(backend), ""]
    for name, kind in load_backend_types(FIRST_PARTY).items():
        lines += [f'### `type = "{name}"`', "", f"{kind.summary.rstrip('.')}.", ""]
        lines += [*table(kind.settings), ""]
    lines += ["## Schemas and resource types", "", *table(Configuration, whole=False), ""]
    return "\n".join(lines)


def table(cls: type[Any], *, whole: bool = True) -> list[str]:
    rows = [
        f"| `{key}` | {kind} | {default} | {said} |"
        for key, kind, default, said in keys(cls)
        if whole or "." not in key
    ]
    return ["| Key | Type | Default | Meaning |", "|---|---|---|---|", *rows]


def keys(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    kinds = field_types(cls)
    for field in attrs.fields(cls):
        kind = kinds[field.name]
        inner, place = nested(kind)
        if MEANING in field.metadata:
            default = field.default
            if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
                default = default.factory()
            secret = Secret in alternatives(kind)
            yield (
                f"{prefix}{field.name}",
                word(kind) + (f" or `{field.name}_file`" if secret else ""),
                shown(default),
                field.metadata[MEANING].replace("|", r"\|"),
            )
        if inner is not None:
            yield from keys(inner, f"{prefix}{field.name}.{place}")


def nested(kind: Any) -> tuple[type[Any] | None, str]:
    """The class whose keys a table of this kind has, and what stands before them for each."""
    options = [one for one in alternatives(kind) if one is not type(None)]
    place = ""
    if typing.get_origin(options[0]) is Mapping:
        options, place = [typing.get_args(options[0])[1]], "NAME."
    found = options[0] if attrs.has(options[0]) and options[0] is not Secret else None
    return found, place


def word(kind: Any) -> str:
    options = [one for one in alternatives(kind) if one is not type(None)]
    arguments = typing.get_args(options[0])
    origin = typing.get_origin(options[0])
    if len(options) > 1:
        return " or ".join(map(word, options))
    if origin is typing.Literal:
        return " · ".join(f"`{one}`" for one in arguments)
    if origin in (tuple, frozenset):
        return f"list of {word(arguments[0])}"
    if origin is not None:
        return f"table of {word(arguments[1])}".removesuffix(" of ")
    if isinstance(options[0], enum.EnumMeta):
        return " · ".join(f"`{one.value}`" for one in list[Any](options[0]))
    if attrs.has(options[0]) and options[0] is not Secret:
        return "table"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}.get(
        options[0], {Secret: "secret", Path: "path"}.get(options[0], "")
    )


def shown(default: Any) -> str:
    match default:
        case attrs.NOTHING:
            return "required"
        case None | () | "":
            return ""
        case bool():
            return f"`{str(default).lower()}`"
        case str():
            return f'`"{default}"`'
        case Mapping():
            return "<br>".join(
                f"`{key} = '{value}'`".replace("|", r"\|") for key, value in default.items()
            )
        case tuple() | frozenset():
            return f"`{list(default)}`"
        case _:
            return f"`{default}`"


def commands() -> str:
    cli = app()
    lines = []
    for name in cli:
        if not name.startswith("-"):
            command = cli[name]
            inner = [one for one in command if not one.startswith("-")]
            lines.append(f"## `bridge {name}`\n")
            shown = [[name, one] for one in inner] or [[name]]
            lines += [f"```text\n{printed_help(words)}\n```\n" for words in shown]
    return "\n".join(lines)


def printed_help(words: list[str]) -> str:
    import io

    from rich.console import Console

    stream = io.StringIO()
    app().help_print(words, console=Console(file=stream, width=98, color_system=None))
    return "\n".join(line.rstrip() for line in stream.getvalue().strip().splitlines())


def errors() -> str:
    return "\n".join(
        f"## {code}\n\n{found.meaning}\n\n{found.remedy}\n"
        for code, found in explanations().items()
    )


@pytest.mark.parametrize("make", [configuration, commands, errors], ids=lambda f: f.__name__)
def test_the_page_says_what_the_code_says(make: Any, request: pytest.FixtureRequest) -> None:
    page = PAGES / f"{make.__name__}.md"
    text = page.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = f"{before}{BEGIN}\n\n{make().strip()}\n\n{END}{after}"
    if request.config.getoption("--golden-update"):
        page.write_text(made, encoding="utf-8")
    else:
        assert text == made, "make golden ARGS=tests/unit/cli"


def test_every_key_of_the_configuration_has_a_meaning() -> None:
    def fields(cls: type[Any]) -> Iterator[tuple[str, Any]]:
        kinds = field_types(cls)
        for field in attrs.fields(cls):
            if attrs.has(kinds[field.name]) and kinds[field.name] is not Secret:
                yield from fields(kinds[field.name])
            elif field.name not in ("backends", "settings"):
                yield f"{cls.__name__}.{field.name}", field

    classes = [Configuration, typing.get_args(field_types(Configuration)["backends"])[0]]
    classes += [kind.settings for kind in load_backend_types(FIRST_PARTY).values()]
    silent = [n for cls in classes for n, field in fields(cls) if MEANING not in field.metadata]
    assert silent == []
