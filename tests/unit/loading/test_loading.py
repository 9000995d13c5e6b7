"""Finding plugins: only what is named is imported, and what is wrong is called by its name."""

import os
import sys
from pathlib import Path

import pytest

from bridge.core.errors import OperatorError
from bridge.loading import installed_plugins, load_backend_types
from tests.installing import PLUGIN, install, place

__all__ = ["place"]

ACME = PLUGIN.format(name="acme", contract=1)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory of single-file plugins with one good file, and one that nobody names."""
    directory = tmp_path / "plugins"
    directory.mkdir(mode=0o755)
    (directory / "acme.py").write_text(ACME)
    (directory / "bomb.py").write_text("raise SystemExit('imported')")
    return directory


def test_only_what_is_named_is_imported(place: Path) -> None:
    install(place, "acme-bomb", "acme_bomb", "raise SystemExit('imported')", "bomb")
    assert [plugin.name for plugin in installed_plugins()] == ["bomb", "good"]
    assert set(load_backend_types(["good"])) == {"good"}
    assert "acme_bomb" not in sys.modules


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


def test_a_file_of_the_directory_is_a_plugin(place: Path, directory: Path) -> None:
    found = installed_plugins(directory)
    assert [(one.name, one.called) for one in found] == [
        ("acme", f"{directory}/acme.py"),
        ("bomb", f"{directory}/bomb.py"),
        ("good", "acme-good 1.0"),
    ]
    assert load_backend_types(["acme", "good"], directory)["acme"].name == "acme"


def test_files_are_no_plugins_without_a_directory(place: Path, directory: Path) -> None:
    with pytest.raises(OperatorError, match=r'BRG-PLUGIN-MISSING.*"acme"'):
        load_backend_types(["acme"])


def test_a_file_is_read_anew_and_leaves_nothing_beside_it(directory: Path) -> None:
    assert load_backend_types(["acme"], directory)["acme"].summary == ""
    (directory / "acme.py").write_text(ACME.replace('summary=""', 'summary="second"'))
    assert load_backend_types(["acme"], directory)["acme"].summary == "second"
    assert sorted(path.name for path in directory.iterdir()) == ["acme.py", "bomb.py"]


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o620])
@pytest.mark.parametrize("place", ["file", "directory", "above"])
def test_what_others_may_change_is_refused(directory: Path, place: str, mode: int) -> None:
    changed = {"file": directory / "acme.py", "directory": directory, "above": directory.parent}
    changed[place].chmod(mode | (0o000 if place == "file" else 0o711))
    with pytest.raises(OperatorError, match="BRG-PLUGIN-UNSAFE") as refusal:
        load_backend_types(["acme"], directory)
    changed[place].chmod(0o755)
    assert str(changed[place]) in str(refusal.value)
    assert "chmod go-w" in refusal.value.next_step


def test_a_sticky_directory_may_stand_above_and_may_not_hold_them(directory: Path) -> None:
    directory.parent.chmod(0o1777)
    assert load_backend_types(["acme"], directory)
    directory.chmod(0o1777)
    with pytest.raises(OperatorError, match="BRG-PLUGIN-UNSAFE"):
        load_backend_types(["acme"], directory)


def test_a_link_to_what_others_may_change_is_refused(directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text(ACME)
    elsewhere.chmod(0o666)
    (directory / "acme.py").unlink()
    (directory / "acme.py").symlink_to(elsewhere)
    with pytest.raises(OperatorError, match="BRG-PLUGIN-UNSAFE"):
        load_backend_types(["acme"], directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_of_another_account_is_refused(directory: Path) -> None:
    os.chown(directory / "acme.py", 65_534, 65_534)
    with pytest.raises(OperatorError, match="belongs to another account"):
        load_backend_types(["acme"], directory)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import nowhere_to_be_found", "BRG-PLUGIN-BROKEN"),
        ("def broken(:", "BRG-PLUGIN-BROKEN"),
        ("raise SystemExit(3)", "BRG-PLUGIN-BROKEN"),
        ("", "BRG-PLUGIN-TYPE"),
        (PLUGIN.format(name="acme", contract=7), "BRG-PLUGIN-CONTRACT"),
    ],
)
def test_a_file_that_cannot_be_used_is_called_by_its_name(
    directory: Path, code: str, error: str
) -> None:
    (directory / "acme.py").write_text(code)
    with pytest.raises(OperatorError) as caught:
        load_backend_types(["acme"], directory)
    assert str(caught.value).startswith(f"{error}: The plugin of {directory}/acme.py ")


def test_a_file_and_a_distribution_of_one_name(place: Path, directory: Path) -> None:
    (directory / "good.py").write_text(PLUGIN.format(name="good", contract=1))
    with pytest.raises(OperatorError, match="BRG-PLUGIN-DOUBLED") as caught:
        load_backend_types(["good"], directory)
    assert "acme-good 1.0" in str(caught.value)
    assert f"{directory}/good.py" in str(caught.value)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="BRG-PLUGIN-DIRECTORY"):
        load_backend_types(["acme"], tmp_path / "nowhere")
