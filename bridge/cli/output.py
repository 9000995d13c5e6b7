"""What commands print: a table for people, plain columns for pipes, JSON for programs.

Rule: rich is imported only for a terminal.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def write_json(value: Any) -> None:
    """Print one line of JSON."""
    print(json.dumps(value, ensure_ascii=False), flush=True)  # noqa: T201


def say(line: str) -> None:
    """Print one line for a person."""
    print(line, flush=True)  # noqa: T201


def note(line: str) -> None:
    """Print one line for a person beside the output proper (on standard error)."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def write_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, title: str = ""
) -> None:
    """Print rows: all of each row as JSON, or the named columns as a table."""
    rows = list(rows)
    if as_json:
        write_json(rows)
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not rows:
        say("None.")
    elif sys.stdout.isatty():
        _draw(cells, columns, title)
    else:
        _align([[column.upper() for column in columns], *cells])


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _draw(cells: Sequence[Sequence[str]], columns: Sequence[str], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console().print(table)


def _align(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        say(text.rstrip())
