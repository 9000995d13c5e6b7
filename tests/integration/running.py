"""A bridge as a user starts it: the command line in a process of its own.

Rule: what a test does to it, a user could do.
"""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

BRIDGE = Path(sys.executable).with_name("bridge")

STOP_SECONDS = 10.0
DELIVERY_SECONDS = 120.0


@attrs.define(eq=False)
class Bridge:
    """A running bridge: where it answers, and the process."""

    process: subprocess.Popen[str]
    directory: Path
    scim_url: str
    token: str

    @property
    def url(self) -> str:
        """The address in front of `/scim/v2`."""
        return self.scim_url.removesuffix("/scim/v2")

    def figure(self, metric: str) -> float:
        """The sum of a metric over all its labels."""
        text = httpx.get(f"{self.url}/metrics", timeout=30).text
        return sum(
            float(n) for n in re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        )

    def wait_until_delivered(self) -> None:
        """Return when no backend has anything pending; fail when something is parked."""
        deadline = time.monotonic() + DELIVERY_SECONDS
        while (waiting := self.figure("bridge_journal_depth")) and time.monotonic() < deadline:
            time.sleep(0.2)
        parked = self.figure("bridge_parked")
        assert (waiting, parked) == (0, 0), self.command("deliveries", "list")

    def command(self, *arguments: str, stdin: str = "") -> str:
        """Run a `bridge` command with this installation's configuration; return what it prints."""
        done = self._command(arguments, stdin)
        return done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        """Run a `bridge` command that must succeed; return the JSON that it prints."""
        done = self._command((*arguments, "--json"), "")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def _command(self, arguments: Sequence[str], stdin: str) -> "subprocess.CompletedProcess[str]":
        config = ("--config", str(self.directory / "bridge.toml"))
        return subprocess.run(
            [BRIDGE, *arguments, *config],
            capture_output=True, text=True, timeout=60, check=False, input=stdin,
        )  # fmt: skip

    def stop(self) -> int:
        """End it as a service manager does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def quickstart(
    directory: Path, *, more: str = "", program: Sequence[str | Path] = (BRIDGE,)
) -> Iterator[Bridge]:
    """Start `bridge quickstart` on a free port, `more` added to its configuration.

    `program` is what is run instead of `bridge`, from then on.
    """
    if more:
        with _started(directory, (BRIDGE,)) as first:
            assert first.stop() == 0
        configuration = directory / "bridge.toml"
        made = configuration.read_text()
        if "[guard]" in more:
            made = made.partition("\n[guard]")[0]
        configuration.write_text(f"{made}\n{more}")
    with _started(directory, program) as bridge:
        yield bridge


@contextmanager
def _started(directory: Path, program: Sequence[str | Path]) -> Iterator[Bridge]:
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / "bridge.log").open("a") as log:
        process = subprocess.Popen(
            [*program, "quickstart", "--dir", str(directory), "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (directory.parent / "bridge.log").read_text()
            told = json.loads(line)
            yield Bridge(process, directory, told["scim_url"], told["token"])
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
