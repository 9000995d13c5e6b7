"""The repository: what is committed is what counts. The only part that touches the target."""

import contextlib
import fcntl
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import attrs

from bridge.plugin import BackendDown, InDoubt, RetryLater

FILE = "directory.jsonl"
WHO = ("-c", "user.name=Directory Bridge", "-c", "user.email=bridge@localhost")


@attrs.frozen
class Repository:
    folder: Path
    timeout_seconds: float

    def read(self) -> dict[str, Any]:
        lines = map(json.loads, self._git("show", f"HEAD:{FILE}").splitlines())
        return {line["key"]: line for line in lines}

    def write(self, lines: Mapping[str, Any], message: str) -> None:
        text = "".join(f"{json.dumps(lines[key], sort_keys=True)}\n" for key in sorted(lines))
        (self.folder / FILE).write_text(text, encoding="utf-8")
        if self._git("status", "--porcelain", "--", FILE):
            self._git("commit", "--quiet", "--file=-", "--only", "--", FILE, stdin=message)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        ends = time.monotonic() + self.timeout_seconds
        try:
            lock = (self.folder / ".git" / "bridge.lock").open("w")
        except OSError as error:
            raise BackendDown(f"{self.folder}: {error.strerror}") from None
        with lock:
            while not _taken(lock):
                if time.monotonic() > ends:
                    raise RetryLater("Somebody else writes to the repository.")
                time.sleep(0.01)
            yield

    def _git(self, *arguments: str, stdin: str = "") -> str:
        try:
            done = subprocess.run(
                ["git", *WHO, *arguments],
                cwd=self.folder,
                input=stdin,
                capture_output=True,
                encoding="utf-8",
                timeout=self.timeout_seconds,
                check=True,
            )
        except subprocess.TimeoutExpired:
            raise InDoubt("git does not come to an end.") from None
        except subprocess.CalledProcessError as error:
            raise BackendDown(error.stderr) from None
        except OSError as error:
            raise BackendDown(f"{self.folder}: {error.strerror}") from None
        return done.stdout


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
