"""Plugins are alike to the letter, lock files pin by hash, and `make` says what it can do."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(ROOT.glob("plugins/*/pyproject.toml"))
LOCKS = ("requirements.lock", "requirements-dev.lock")
OUTSIDE_NAMES = ("run", "install", "test", "check", "bench", "faults", "format", "golden", "lock")


def project(path: Path) -> dict[str, object]:
    loaded: dict[str, object] = tomllib.loads(path.read_text())["project"]
    return loaded


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement)[0].lower().replace("_", "-")


def test_plugins_differ_in_name_purpose_and_library_only() -> None:
    skeletons = {
        re.sub(
            r'(?m)^(description = ).*|^    "(?!directory-bridge").*\n',
            r"\1",
            path.read_text().replace(path.parent.name.removesuffix("_backend"), "NAME"),
        )
        for path in PLUGINS
    }
    assert len(PLUGINS) >= 3
    assert len(skeletons) == 1, "\n".join(skeletons)


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.parent.name)
def test_a_plugin_has_the_rooms_of_a_plugin(path: Path) -> None:
    name = path.parent.name.removesuffix("_backend")
    source = path.parent / "src" / f"bridge_{name}"
    for part in ("plugin.py", "settings.py", "mapping.py", "planning.py", "client.py", "py.typed"):
        assert (source / part).exists(), part
    assert (path.parent / "README.md").exists()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    requirements = [
        line for line in text.splitlines() if line and not line.lstrip().startswith("#")
    ]
    assert len(requirements) > 20
    unpinned = [
        line for line in requirements if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:\w{64}", line)
    ]
    assert unpinned == []


def test_the_lock_files_cover_every_dependency() -> None:
    host = tomllib.loads((ROOT / "pyproject.toml").read_text())
    own = {"directory-bridge"}
    runtime = {name_of(one) for one in host["project"]["dependencies"]}
    for path in PLUGINS:
        runtime |= {name_of(one) for one in project(path)["dependencies"]}  # type: ignore[attr-defined]
    groups = host["dependency-groups"]
    dev = {name_of(one) for group in ("test", "check", "build") for one in groups[group]}
    runtime_lock, dev_lock = (
        set(re.findall(r"(?m)^([\w.-]+)(?=(?:\[.*\])?==)", (ROOT / lock).read_text()))
        for lock in LOCKS
    )
    assert runtime - own <= runtime_lock
    assert (runtime | dev) - own <= dev_lock


def test_make_alone_lists_the_targets() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"(?m)^  make ([a-z-]+) +\S", said)
    assert set(OUTSIDE_NAMES) <= set(listed)
