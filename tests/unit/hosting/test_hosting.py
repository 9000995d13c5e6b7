"""Finding plugins: only what is named is imported, and what is wrong is called by its name."""

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.config import BackendTable
from bridge.core.errors import OperatorError
from bridge.core.schema import STANDARD
from bridge.hosting import host, installed_plugins, load_backend_types

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


def test_only_what_is_named_is_imported(place: Path) -> None:
    install(place, "acme-bomb", "acme_bomb", "raise SystemExit('imported')", "bomb")
    assert [plugin.name for plugin in installed_plugins()] == ["bomb", "good"]
    assert set(load_backend_types(["good"])) == {"good"}
    assert "acme_bomb" not in sys.modules


def test_a_backend_is_hosted_with_its_settings(place: Path, tmp_path: Path) -> None:
    table = BackendTable("good", "mine", slots=2, lease_seconds=9, settings={"url": "u"})
    (hosted,) = host([table], tmp_path, STANDARD)
    assert (hosted.name, hosted.type.name, hosted.slots, hosted.lease_seconds) == (
        "mine",
        "good",
        2,
        9,
    )
    assert hosted.settings.url == "u"
    assert hosted.open() is hosted.settings  # what the plugin's `open` was handed


def test_settings_are_checked_with_the_path_of_the_backend(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        host([BackendTable("good", "mine", settings={"ulr": "u"})], tmp_path, STANDARD)
    assert {str(error).split(": ")[1] for error in caught.value.exceptions} == {
        "backends.mine.url",
        "backends.mine.ulr",
    }


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import nowhere_to_be_found", "BRG-PLUGIN-BROKEN: The plugin of acme-bad 1.0"),
        ("def bridge_backend_types(): return 3", "BRG-PLUGIN-TYPE: The plugin of acme-bad 1.0"),
        (
            "from bridge.plugin import hookimpl\n@hookimpl\ndef bridge_backend_typos(): return []",
            "BRG-PLUGIN-BROKEN: The plugin of acme-bad 1.0",
        ),
        (PLUGIN.format(name="other", contract=1), "BRG-PLUGIN-TYPE: The plugin of acme-bad 1.0"),
        (
            PLUGIN.format(name="bad", contract=7),
            "BRG-PLUGIN-CONTRACT: The plugin of acme-bad 1.0 is written for contract 7",
        ),
    ],
)
def test_a_plugin_that_cannot_be_used_is_called_by_its_distribution(
    place: Path, code: str, error: str
) -> None:
    install(place, "acme-bad", "acme_bad", code, "bad")
    with pytest.raises(OperatorError) as caught:
        load_backend_types(["good", "bad"])
    assert str(caught.value).startswith(error)


def test_a_plugin_that_is_not_installed(place: Path) -> None:
    with pytest.raises(OperatorError, match=r'BRG-PLUGIN-MISSING.*"ldpa".*installed are: good\.'):
        load_backend_types(["ldpa"])


def test_two_plugins_of_one_name(place: Path) -> None:
    install(place, "acme-twin", "acme_twin", PLUGIN.format(name="good", contract=1), "good")
    with pytest.raises(OperatorError, match="BRG-PLUGIN-DOUBLED") as caught:
        load_backend_types(["good"])
    assert "acme-good 1.0" in str(caught.value)
    assert "acme-twin 1.0" in str(caught.value)
