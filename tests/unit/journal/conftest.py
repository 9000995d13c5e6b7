"""A journal of its own for every test that asks for one."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bridge.journal.store import Journal, open_journal
from tests.unit.journal.scene import add_backend


@pytest.fixture
def journal(journal_url: str) -> Iterator[Journal]:
    """A new journal of each kind in turn, that the backend `corp` follows."""
    with closing(open_journal(journal_url)) as journal:
        add_backend(journal, "corp")
        yield journal
