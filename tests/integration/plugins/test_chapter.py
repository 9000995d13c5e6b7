"""The chapter on writing a backend, followed word for word from an empty folder.

Its example, `examples/git_backend`, stands for whoever writes a backend outside this repository.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from scripts.run_chapter import script

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tutorial" / "write-a-backend.md"
EXAMPLE = ROOT / "examples" / "git_backend"


def follow(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a chapter where packages that are installed here count as installed, and no index is."""
    installed = folder / "bridge-git" / ".venv" / "lib" / f"python{sysconfig.get_python_version()}"
    paths = [sysconfig.get_path("purelib"), ROOT, *ROOT.glob("plugins/*/src")]
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "run_chapter.py", page, folder],
        cwd=folder,
        env={
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": ":".join(map(str, [*paths, installed / "site-packages"])),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this one as its opposite
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_chapter_ends_in_a_backend_that_keeps_the_contract(tmp_path: Path) -> None:
    done = follow(PAGE, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\bgit +bridge-git +0\.1\.0", done.stdout)
    assert re.search(r"\d{3} passed, \d+ skipped", done.stdout)
    assert "0 lines of directory.jsonl are committed." in done.stdout


def test_the_chapter_writes_the_example_and_nothing_else() -> None:
    written = set(re.findall(r"(?m)^<!-- file: examples/git_backend/(\S+) -->", PAGE.read_text()))
    files = {
        str(path.relative_to(EXAMPLE))
        for path in EXAMPLE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "README.md"
    }
    assert written == files


def test_a_command_that_fails_ends_the_chapter(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo first\n$ false\n$ echo second\n```\n")
    done = follow(page, tmp_path)
    assert done.returncode == 1
    assert "first" in done.stdout
    assert "second" not in done.stdout


def test_files_are_written_as_they_stand() -> None:
    page = "<!-- file: examples/x/a/b.txt -->\n```text\nit's $HOME\n```\n"
    assert list(script(page))[-1] == """printf %s 'it'"'"'s $HOME\n' > a/b.txt"""
