"""A journal of its own for every test that asks for one."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.journal.store import Journal, open_journal
from tests.unit.journal.scene import add_backend


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A new journal that the backend `corp` follows."""
    with closing(open_journal(f"sqlite:///{tmp_path}/journal.sqlite3")) as journal:
        add_backend(journal, "corp")
        yield journal
