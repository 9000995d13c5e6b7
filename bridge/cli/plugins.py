"""`bridge plugin`: what is installed, a new one, and whether one keeps the contract.

Rule: nothing here needs a network, and a folder that exists is never written over.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import App, Parameter

from bridge.cli.common import DEFAULT_FILE, Json
from bridge.cli.output import say, write_json, write_rows
from bridge.core.errors import OperatorError

plugin = App(name="plugin", help="Backend plugins.", help_formatter="plain")

TEMPLATE = Path(__file__).with_name("new_plugin")
SUFFIX = ".template"
NAME = re.compile(r"[a-z][a-z0-9]{1,30}")
NO_TESTS = 5
"""pytest's exit code when it found nothing to run."""


@plugin.command(name="list")
def list_plugins(
    *, config: Annotated[Path | None, Parameter(env_var="BRIDGE_CONFIG")] = None, json: Json = False
) -> None:
    """List the backend plugins that can be configured; none is imported.

    Parameters
    ----------
    config
        Configuration file that may name a directory of plugins; without one, bridge.toml if it
        is there.
    json
        Print JSON.
    """
    from bridge.config import load
    from bridge.loading import installed_plugins

    directory = None
    if config is not None or DEFAULT_FILE.exists():
        directory = load(config or DEFAULT_FILE, os.environ).configuration.plugins.directory
    shown = ("name", "distribution", "version", "module")
    rows = [
        attrs.asdict(found, filter=lambda field, _: field.name in shown)
        for found in installed_plugins(directory)
    ]
    write_rows(rows, shown, as_json=json)


@plugin.command
def new(name: str, *, directory: Path = Path(), json: Json = False) -> None:
    """Write the package of a new backend: it works, and its tests pass.

    Parameters
    ----------
    name
        The backend's type in the configuration: small letters and digits.
    directory
        Where to make the folder NAME_backend.
    json
        Print JSON.
    """
    from bridge.loading import installed_plugins

    if not NAME.fullmatch(name):
        raise OperatorError(
            "BRG-PLUGIN-NAME",
            f'"{name}" cannot be the name of a backend type.',
            "Take 2 to 31 small letters and digits, a letter first.",
        )
    if taken := next((found for found in installed_plugins() if found.name == name), None):
        raise OperatorError(
            "BRG-PLUGIN-NAME", f'{taken.called} offers "{name}" already.', "Take another name."
        )
    folder = directory / f"{name}_backend"
    try:
        folder.mkdir(parents=True)
        files = _written(name, folder)
    except OSError as error:
        raise OperatorError(
            "BRG-PLUGIN-FOLDER",
            f"{folder} cannot be made: {error.strerror}.",
            "Take another name, or name a place for it with --directory.",
        ) from None
    if json:
        write_json({"folder": str(folder), "files": files})
    else:
        say(f"{folder} is a working backend of type {name}. Next: cd {folder}; bridge plugin test")


@plugin.command(name="test")
def try_plugin(
    what: str = ".", *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]
) -> int:
    """Run the contract suite: what the bridge relies on, tried on a real target.

    Exit code 1: a law is broken, and pytest says which.

    Parameters
    ----------
    what
        Folder of a package, whose tests/test_contract.py is run; or MODULE:NAME or FILE.py:NAME
        of a backend type, which needs `--bridge-settings FILE` if it has settings.
    arguments
        Passed on to pytest, for example `-k rename -x`.
    """
    from importlib.util import find_spec

    if find_spec("pytest") is None:
        raise OperatorError(
            "BRG-PLUGIN-PYTEST",
            "The contract suite needs pytest.",
            "pip install pytest, then again.",
        )
    folder = Path(what)
    if not folder.is_dir():
        if ":" not in what:
            raise OperatorError(
                "BRG-PLUGIN-FOLDER",
                f"{what} is neither a folder nor MODULE:NAME.",
                "Name the folder of a plugin's package, or a module and its backend type.",
            )
        return _pytest(Path(), f"--bridge-backend={what}", *arguments)
    if not (folder / "tests" / "test_contract.py").is_file():
        raise OperatorError(
            "BRG-PLUGIN-FOLDER",
            f"{folder.absolute()} has no tests/test_contract.py.",
            "Name the folder of a plugin's package, or MODULE:NAME of a backend type.",
        )
    return _pytest(folder, "tests/test_contract.py", *arguments)


def _pytest(folder: Path, *arguments: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=folder, check=False
    ).returncode
    if done == NO_TESTS:
        raise OperatorError("BRG-PLUGIN-FOLDER", "No law was tried.", "Correct the selection.")
    return min(done, 1)


def _written(name: str, folder: Path) -> list[str]:
    """Write the template's files below `folder`; return their names."""
    words = {"{{name}}": name, "{{package}}": f"bridge_{name}", "{{Class}}": name.capitalize()}
    files = []
    for source in sorted(TEMPLATE.rglob(f"*{SUFFIX}")):
        text = source.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        place = str(source.relative_to(TEMPLATE)).removesuffix(SUFFIX)
        file = folder / place.replace("PACKAGE", words["{{package}}"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        files.append(str(file.relative_to(folder)))
    return files
