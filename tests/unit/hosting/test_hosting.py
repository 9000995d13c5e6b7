"""Hosting: tables of the configuration become backends with their settings."""

from pathlib import Path

import pytest

from bridge.config import Loaded, load
from bridge.hosting import host
from tests.installing import PLUGIN, place

__all__ = ["place"]


def loaded(folder: Path, text: str) -> Loaded:
    path = folder / "bridge.toml"
    path.write_text(f'[server]\nkey = "{"k" * 32}"\n{text}')
    return load(path, {})


def test_a_backend_is_hosted_with_its_settings(place: Path, tmp_path: Path) -> None:
    table = '[[backends]]\ntype = "good"\nname = "mine"\nslots = 2\nlease_seconds = 9\nurl = "u"'
    (hosted,) = host(loaded(tmp_path, table))
    assert (hosted.name, hosted.type.name, hosted.slots, hosted.lease_seconds) == (
        "mine",
        "good",
        2,
        9,
    )
    assert hosted.settings.url == "u"
    assert hosted.open() is hosted.settings  # what the plugin's `open` was handed


def test_settings_are_checked_with_the_path_of_the_backend(place: Path, tmp_path: Path) -> None:
    table = '[[backends]]\ntype = "good"\nname = "mine"\nulr = "u"'
    with pytest.raises(ExceptionGroup) as caught:
        host(loaded(tmp_path, table))
    assert {str(error).split(": ")[1] for error in caught.value.exceptions} == {
        "backends.mine.url",
        "backends.mine.ulr",
    }


def test_a_file_of_the_plugin_directory_is_hosted(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir(mode=0o755)
    (tmp_path / "own" / "acme.py").write_text(PLUGIN.format(name="acme", contract=1))
    table = '[[backends]]\ntype = "acme"\nname = "mine"\nurl = "u"'
    (hosted,) = host(loaded(tmp_path, f'[plugins]\ndirectory = "own"\n{table}'))
    assert hosted.settings.url == "u"
