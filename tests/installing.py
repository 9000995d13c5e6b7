"""Plugins for tests: written into a folder as pip would install them."""

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PLUGIN = """
import attrs
from bridge.plugin import BackendType, hookimpl

@attrs.frozen
class Settings:
    url: str

@hookimpl
def bridge_backend_types():
    return [BackendType(name={name!r}, summary="", settings=Settings, open=lambda s: s,
                        contract={contract})]
"""


def install(place: Path, distribution: str, module: str, code: str, *names: str) -> None:
    """Write a distribution into `place`, as pip would: a module and its metadata."""
    (place / f"{module}.py").write_text(code)
    metadata = place / f"{distribution.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
    )
    points = "\n".join(f"{name} = {module}" for name in names)
    (metadata / "entry_points.txt").write_text(f"[bridge]\n{points}\n")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment with one good plugin, and nothing of the project's own."""
    install(tmp_path, "acme-good", "acme_good", PLUGIN.format(name="good", contract=1), "good")
    monkeypatch.setattr(
        importlib.metadata.MetadataPathFinder, "find_distributions", _only(tmp_path)
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def _only(path: Path) -> Callable[[object], Iterator[importlib.metadata.Distribution]]:
    def find(_context: object) -> Iterator[importlib.metadata.Distribution]:
        return (importlib.metadata.PathDistribution(found) for found in path.glob("*.dist-info"))

    return find
