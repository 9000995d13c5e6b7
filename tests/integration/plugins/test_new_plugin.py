"""`bridge plugin new` writes a package that is right at once, in the house's own layout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli import main

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    assert main(["plugin", "new", "acme", "--directory", str(folder)]) == 0
    return folder / "acme_backend"


def run(package: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=package,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_tests_pass_at_once(package: Path) -> None:
    done = run(package, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_is_tried_and_its_exit_code_told(package: Path) -> None:
    kept = run(package, "bridge.cli", "plugin", "test", ".", "-k", "rename", "-q")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    client = package / "src" / "bridge_acme" / "client.py"
    right = client.read_text()
    client.write_text(right.replace(" | {*step.added}", ""))
    try:
        broken = run(package, "bridge.cli", "plugin", "test", ".", "-k", "adds-a-member", "-q")
    finally:
        client.write_text(right)
    assert broken.returncode == 1
    assert "test_target_holds_what_the_changes_lead_to[adds-a-member]" in broken.stdout


def test_a_backend_type_is_judged_with_settings_alone(package: Path, tmp_path: Path) -> None:
    settings = tmp_path / "acme.toml"
    settings.write_text('folder = "{folder}/files"\n')
    suite = ("--bridge-backend=bridge_acme.plugin:acme", f"--bridge-settings={settings}")
    done = run(package, "pytest", "-q", "-rs", *suite, "-k", "rename", PYTHONPATH="src")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "nobody else tells what" in done.stdout  # laws that need a harness say so


def test_a_harness_is_taken_by_its_name(package: Path) -> None:
    suite = "--bridge-backend=tests.harness:AcmeHarness"
    done = run(package, "pytest", "-q", suite, "-k", "vanished", PYTHONPATH="src:.")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("bridge_acme.plugin:other", 'registers no backend type "other"'),
        ("bridge_acme.plugin:acme", "settings.folder: is required and missing"),
        ("bridge_nowhere:acme", "No module named 'bridge_nowhere'"),
        ("acme", "--bridge-backend=MODULE:NAME"),
        ("nowhere.py:acme", "there is no file nowhere.py"),
    ],
)
def test_what_cannot_be_judged_is_one_line(package: Path, backend: str, told: str) -> None:
    done = run(package, "pytest", "-q", f"--bridge-backend={backend}", PYTHONPATH="src")
    assert done.returncode == 4
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_it_is_typed_formatted_and_clean(package: Path) -> None:
    for command in (
        ("ruff", "check", "--isolated", "--select=E,F,B,UP,SIM,ARG", "--line-length=100", "."),
        ("ruff", "format", "--isolated", "--line-length=100", "--check", "."),
        ("mypy", "--strict", "--explicit-package-bases", "-p", "bridge_acme"),
    ):
        done = run(package, *command, MYPYPATH="src")
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_the_layout_of_the_houses_own(package: Path) -> None:
    own = ROOT / "plugins" / "sql_backend"
    parts = {"plugin.py", "settings.py", "mapping.py", "planning.py", "client.py", "py.typed"}
    assert parts <= {path.name for path in (package / "src" / "bridge_acme").iterdir()}
    assert parts <= {path.name for path in (own / "src" / "bridge_sql").iterdir()}
    for part in ("pyproject.toml", "README.md", "tests/harness.py", "tests/test_contract.py"):
        assert (package / part).is_file()
        assert (own / part).is_file()


def test_nothing_is_left_of_the_template(package: Path) -> None:
    for path in package.rglob("*"):
        if path.suffix in {".py", ".toml", ".md", ".txt"}:
            assert "{{" not in path.read_text().replace("{{7*7}}", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["new", "Acme"], "BRG-PLUGIN-NAME"),
        (["new", "a-b"], "BRG-PLUGIN-NAME"),
        (["new", "sql"], "directory-bridge-sql"),
        (["test", "nowhere"], "BRG-PLUGIN-FOLDER"),
        (["test", "/"], "has no tests/test_contract.py"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugin", *words]) == 1
    said = capsys.readouterr().err
    assert told in said
    assert " Next: " in said
    assert said.count("\n") == 1


def test_a_folder_that_exists_is_left_alone(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in package.rglob("*.py")}
    assert main(["plugin", "new", "acme", "--directory", str(package.parent)]) == 1
    assert "BRG-PLUGIN-FOLDER" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in package.rglob("*.py")} == before


def test_files_of_the_plugin_directory_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own").mkdir(mode=0o755)
    (tmp_path / "own" / "special.py").write_text("raise SystemExit('imported')")
    config = tmp_path / "bridge.toml"
    config.write_text(f'[server]\nkey = "{"k" * 32}"\n[plugins]\ndirectory = "own"\n')
    assert main(["plugin", "list", "--config", str(config)]) == 0
    assert f"{tmp_path}/own/special.py" in capsys.readouterr().out
    assert main(["plugin", "list"]) == 0
    assert "special" not in capsys.readouterr().out
