"""The page of events is made from the code, and what is told validates against it.

`make golden ARGS=tests/unit/docs` writes the page and the schema anew.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from bridge.core.event_schemas import event_schemas
from bridge.core.events import events
from bridge.core.schema import STANDARD
from bridge.plugin import ChangeRecord, Level
from bridge.testing import Story, World

PAGES = Path(__file__).parents[3] / "docs" / "reference"
BEGIN, END = "<!-- made from the code: begin -->", "<!-- made from the code: end -->"
SCHEMA = event_schemas(STANDARD)


def changes() -> Iterator[ChangeRecord]:
    """At least one change of every kind."""
    world = World()
    yield world.user("ann", title="Lead")
    yield world.update("ann", title=None, active=False)
    yield world.group("sales", "ann")
    yield world.members("sales", remove=["ann"])
    yield world.workspace("crm")
    yield world.update("crm", displayName="Customers")
    yield world.folder("notes", "crm")
    yield world.update("notes", access="team")
    yield world.access("crm", {"ann": Level.VIEW})
    yield world.access("crm", {"ann": Level.EDIT})
    yield world.access("crm", {"ann": None})
    for name in ("ann", "sales", "notes", "crm"):
        yield from world.delete(name)


def told(*, delta: bool = False) -> dict[str, Any]:
    """An example of every event by its type."""
    return {e.type: e.envelope for change in changes() for e in events(change, delta=delta)}


def page() -> str:
    examples = told()
    lines: list[str] = []
    for kind in kinds():
        lines += [f"## `{kind}`", ""]
        for title, value in (
            ("An example", examples[kind]),
            ("JSON Schema", SCHEMA["$defs"][kind]),
        ):
            lines += [f"{title}:", "", "```json", json.dumps(value, indent=2), "```", ""]
    return "\n".join(lines)


def quoted(value: Any) -> list[str]:
    return ["```json", json.dumps(value, indent=2), "```"]


def kinds() -> list[str]:
    return [one["$ref"].rpartition("/")[2] for one in SCHEMA["oneOf"]]


def test_the_page_says_what_the_code_says(request: pytest.FixtureRequest) -> None:
    path = PAGES / "events.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    made, _, after = rest.partition(END)
    if request.config.getoption("--golden-update"):
        made = f"\n\n{page()}\n"
        path.write_text(f"{before}{BEGIN}{made}{END}{after}", encoding="utf-8")
    assert made.strip() == page().strip(), "make golden ARGS=tests/unit/docs"


def test_the_schema_is_what_the_code_says(request: pytest.FixtureRequest) -> None:
    path, made = PAGES / "events.schema.json", f"{json.dumps(SCHEMA, indent=2)}\n"
    if request.config.getoption("--golden-update"):
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made, "make golden ARGS=tests/unit/docs"


def test_every_type_has_an_example() -> None:
    assert sorted(told()) == sorted(kinds())


@pytest.mark.parametrize("delta", [False, True])
def test_every_event_validates(delta: bool) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    for event in told(delta=delta).values():
        validator.validate(event)
        with pytest.raises(jsonschema_rs.ValidationError):
            validator.validate({**event, "data": {**event["data"], "version": 0}})


def test_every_event_of_the_stories_validates(story: Story) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    for change in story.changes:
        for event in events(change):
            validator.validate(event.envelope)
            validator.validate(event.counted.envelope)
