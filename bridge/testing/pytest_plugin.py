"""The pytest plugin that ships with the host: stories, golden files and the contract suite.

    def test_plan_reads_as_sql(story, golden):
        golden(f"{story.name}.sql", str(my_plan_of(story)))

`pytest --bridge-backend=MODULE:NAME` runs the contract (`bridge.testing.given`).
`pytest --golden-update` rewrites the golden files of the tests that run; the diff is the review.

Rule: without that option a test only reads; a golden file that is missing fails.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bridge.testing.given import given
from bridge.testing.stories import load_all

STORIES = "tests/stories"
"""Where stories are looked for, from pytest's root directory, unless `--stories` says otherwise."""

SUITE = '''"""The contract, for the backend of --bridge-backend."""

from bridge.testing.suite import TestBackend

__all__ = ["TestBackend"]
'''
"""The test module that `--bridge-backend` adds, in a folder of its own: no conftest.py above it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bridge", "Directory Bridge")
    group.addoption(
        "--golden-update", action="store_true", help="rewrite golden files instead of comparing"
    )
    group.addoption("--stories", metavar="DIR", help=f"folder of stories (default: {STORIES})")
    group.addoption(
        "--bridge-backend",
        metavar="MODULE:NAME",
        help="run the contract suite for this backend type, or with this harness class",
    )
    group.addoption(
        "--bridge-settings",
        metavar="FILE",
        help="TOML file of the backend's settings; {folder} in it is an empty folder",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes longer than ten seconds")
    if not (backend := config.getoption("--bridge-backend")) or hasattr(config, "workerinput"):
        return
    folder = TemporaryDirectory(prefix="bridge-contract-")
    config.add_cleanup(folder.cleanup)
    # Asked now, so that a mistake is one line and not one error per law.
    given(backend, config.getoption("--bridge-settings"), Path(folder.name)).close()
    suite = Path(folder.name) / "test_given_backend.py"
    suite.write_text(SUITE, encoding="utf-8")
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args.clear()
    config.args.append(str(suite))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "story" not in metafunc.fixturenames:
        return
    folder = metafunc.config.getoption("--stories") or metafunc.config.rootpath / STORIES
    stories = load_all(Path(folder))
    if not stories:
        raise pytest.UsageError(f"no stories in {folder}; name their folder with --stories")
    metafunc.parametrize("story", stories, ids=str)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return `compare(name, text)`: text equals the file `golden/<name>` beside the test."""
    folder = request.path.parent / "golden"
    update = bool(request.config.getoption("--golden-update"))

    def compare(name: str, text: str) -> None:
        assert_golden(folder / name, text, update=update)

    return compare


def assert_golden(path: Path, text: str, *, update: bool = False) -> None:
    """Compare `text` with the file (both end in one newline), or rewrite the file."""
    text = text.rstrip("\n") + "\n"
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    if not path.exists():
        pytest.fail(f"{path} is missing; --golden-update writes it, you review it", pytrace=False)
    expected = path.read_text(encoding="utf-8")
    assert text == expected, f"{path} differs; if the new text is right, use --golden-update"
