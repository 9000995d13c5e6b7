"""Two targets that remember everything: a file to which each write is appended in one piece.

`recorder` cannot be read and takes every version on its own; `mirror` can be read and takes
pending versions together. Both are slow by a little chance before and after the write, so that a
kill finds them everywhere.

Rule: a line is written by one `os.write` on a descriptor opened with O_APPEND, or not at all.
"""

import json
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from bridge.plugin import (
    Backend,
    BackendType,
    ChangeRecord,
    Finding,
    Link,
    Observed,
    Plan,
    Receipt,
    coalesce,
    hookimpl,
)


@attrs.frozen
class Settings:
    """The file, and up to how many milliseconds pass before and after a write to it."""

    file: Path
    pause_ms: float = 2.0


@attrs.frozen
class Line:
    """One write: the entity comes to hold `token` at `version`; None when it is deleted."""

    id: str
    versions: tuple[int, ...]
    token: str | None

    def __str__(self) -> str:
        return json.dumps(attrs.asdict(self))


def lines(file: Path) -> Iterator[Line]:
    """Return every write in the order in which it was done."""
    if file.exists():
        for text in file.read_text().splitlines():
            found = json.loads(text)
            yield Line(found["id"], tuple(found["versions"]), found["token"])


class Recorder:
    """Appends what it is told."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._chance = random.Random()
        self._file = os.open(settings.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def check(self) -> Sequence[Finding]:
        return ()

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        net = coalesce(changes)
        token = None if net.after is None else net.after.get("title")
        held = observed.state if observed else Line(net.entity.id, (), None)
        if token == held.token and (observed or net.entity.id not in links):
            return Plan(net.entity, net.version)
        line = Line(net.entity.id, tuple(change.version for change in changes), token)
        return Plan(net.entity, net.version, (line,))

    def execute(self, plan: Plan) -> Receipt:
        self._pause()
        for step in plan.steps:
            os.write(self._file, f"{step}\n".encode())
        self._pause()
        return Receipt(links=(Link(plan.entity.id, plan.entity.id),))

    def close(self) -> None:
        os.close(self._file)

    def _pause(self) -> None:
        time.sleep(self._chance.random() * self._settings.pause_ms / 1000)


class Mirror(Recorder):
    """Appends what it is told, and can say what that has come to."""

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        del links  # the resource's id is its id here
        held = {line.id: line for line in lines(self._settings.file)}
        return [
            Observed(
                id_, Link(id_, id_) if id_ in held else None, held.get(id_, Line(id_, (), None))
            )
            for id_ in (one.entity.id for one in snapshots)
        ]


def _type(name: str, backend: type[Recorder], *, coalesces: bool) -> BackendType:
    def opened(settings: Any) -> Backend:
        return backend(settings)

    return BackendType(name, backend.__doc__ or "", Settings, opened, coalesces=coalesces)


@hookimpl
def bridge_backend_types() -> list[BackendType]:
    """Return both."""
    return [
        _type("recorder", Recorder, coalesces=False),
        _type("mirror", Mirror, coalesces=True),
    ]
