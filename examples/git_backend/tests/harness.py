"""A repository for the tests, read with git alone."""

import contextlib
import fcntl
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge.plugin import Backend
from bridge.testing import BackendHarness, Held, held_of
from bridge_git.plugin import Settings, bridge_backend_types
from bridge_git.repository import FILE


class GitHarness(BackendHarness):
    type = bridge_backend_types()[0]
    deadline_seconds = 5.0

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder / "repository"
        self.folder.mkdir()
        self.git("init", "--quiet")
        self.git("config", "core.fsync", "none")  # tests need no durable repository
        self.commit({})

    def open(self) -> Backend:
        return self.type.open(Settings(repository=self.folder, timeout_seconds=1.5))

    def held(self, organization: str) -> Held:
        held = {}
        for key, line in self.lines().items():
            owner, kind, resource_id = key.split("/")
            if owner == organization:
                held[resource_id] = held_of(kind, line["attributes"], line["members"])
        return held

    def vanish(self, resource_id: str) -> None:
        self.commit({k: line for k, line in self.lines().items() if resource_id not in k})

    def spoil(self, resource_id: str) -> None:
        lines = self.lines()
        for key, line in lines.items():
            if resource_id in key:
                line["attributes"] |= {"userName": "else", "displayName": "else"}
        self.commit(lines)

    def unreachable(self) -> Backend:
        return self.type.open(Settings(repository=self.folder / "nowhere"))

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        with (self.folder / ".git" / "bridge.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def lines(self) -> dict[str, Any]:
        lines = map(json.loads, self.git("show", f"HEAD:{FILE}").splitlines())
        return {line["key"]: line for line in lines}

    def commit(self, lines: dict[str, Any]) -> None:
        (self.folder / FILE).write_text("".join(f"{json.dumps(x)}\n" for x in lines.values()))
        self.git("add", FILE)
        self.git("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "by others")

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout
