"""The import contracts of pyproject.toml hold, and each of them notices a breach."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "bridge": ROOT / "bridge",
    **{folder.name: folder for folder in ROOT.glob("plugins/*/src/bridge_*")},
}

BREACHES = {
    "layers": ("bridge/core/breach.py", "import bridge.codec"),
    "pure-core": ("bridge/core/breach.py", "import time"),
    "frameworks-at-home": ("bridge/engine/breach.py", "import sqlalchemy"),
    "plugins-see-one-module": ("bridge_ldap/breach.py", "import bridge.core.changes"),
    "plugins-alone": ("bridge_sql/breach.py", "import bridge_ldap"),
}


def contract(name: str, where: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-logo", "--no-cache", "--contract", name],
        cwd=where,
        env={"PYTHONPATH": str(where), "PYTHONSAFEPATH": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copied_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("house")
    for name, folder in PACKAGES.items():
        shutil.copytree(folder, where / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", where)
    return where


@pytest.mark.parametrize("name", BREACHES)
def test_a_contract_holds_and_a_breach_of_it_is_noticed(name: str, copied_house: Path) -> None:
    path, line = BREACHES[name]
    kept = contract(name, copied_house)
    assert kept.returncode == 0, kept.stdout + kept.stderr

    breach = copied_house / path
    breach.write_text(f'"""A breach."""\n\n{line}\n')
    try:
        broken = contract(name, copied_house)
    finally:
        breach.unlink()
    assert broken.returncode == 1
    assert path.removesuffix(".py").replace("/", ".") in broken.stdout


def test_every_contract_has_a_breach_that_proves_it() -> None:
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    assert {one["id"] for one in contracts} == set(BREACHES)
