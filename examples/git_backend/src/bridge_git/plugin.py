"""A Directory Bridge backend: a JSON lines file under git, one commit for every change."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from bridge.plugin import (
    BackendType,
    ChangeRecord,
    Finding,
    Link,
    Observed,
    Plan,
    Receipt,
    Surprise,
    hookimpl,
)
from bridge_git import planning
from bridge_git.planning import Edit
from bridge_git.repository import FILE, Repository


@attrs.frozen
class Settings:
    repository: Path = attrs.field(
        metadata={"meaning": f"Working tree of a git repository with a committed {FILE}."}
    )
    timeout_seconds: float = attrs.field(
        default=8.0, metadata={"meaning": "Longest wait for git or another writer, in seconds."}
    )


class GitBackend:
    def __init__(self, settings: Settings) -> None:
        self._repository = Repository(settings.repository, settings.timeout_seconds)

    def check(self) -> Sequence[Finding]:
        lines = self._repository.read()
        return [Finding(True, "BRG-GIT-FILE", f"{len(lines)} lines of {FILE} are committed.")]

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        return planning.plan(changes, observed)

    def execute(self, plan: Plan) -> Receipt:
        with self._repository.locked():
            lines = self._repository.read()
            links = tuple(_edited(lines, step, plan.entity.id) for step in plan.steps)
            subject = f"{plan.entity.type} {plan.entity.id} version {plan.version}"
            self._repository.write(lines, f"{subject}\n\n{plan}")
        return Receipt(links=links)

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        lines = self._repository.read() if snapshots else {}
        return [_seen(one.entity.id, lines.get(planning.key(one))) for one in snapshots]

    def close(self) -> None:
        pass


def _seen(resource_id: str, line: Mapping[str, Any] | None) -> Observed:
    return Observed(resource_id, Link(resource_id, line["key"]) if line else None, line)


def _edited(lines: dict[str, Any], edit: Any, resource_id: str) -> Link:
    match edit:
        case Edit(gone=True):
            lines.pop(edit.key, None)
        case Edit(new=False) if edit.key not in lines:
            raise Surprise(f"{edit.key} is not there.")
        case Edit():
            line = lines.get(edit.key, {"attributes": {}, "members": []})
            members = {*line["members"]} - {*edit.removed} | {*edit.added}
            attributes = line["attributes"] if edit.attributes is None else edit.attributes
            lines[edit.key] = {
                "key": edit.key,
                "attributes": attributes,
                "members": sorted(members),
            }
    return Link(resource_id, target_id=edit.key)


@hookimpl
def bridge_backend_types() -> Sequence[BackendType]:
    return [
        BackendType(
            name="git",
            summary="A JSON lines file under git, one commit for every change",
            settings=Settings,
            open=GitBackend,
        )
    ]
