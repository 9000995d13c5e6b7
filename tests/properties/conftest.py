"""A journal for the laws."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bridge.journal import tables
from bridge.journal.statements import insert_into
from bridge.journal.store import Journal, open_journal, prepared

_BACKEND = prepared(insert_into(tables.backend, ("name", "type", "state", "updated")))


@pytest.fixture(scope="module")
def journal(shared_journal_url: str) -> Iterator[Journal]:
    """One journal of each kind for all examples; each has an organization of its own."""
    with closing(open_journal(shared_journal_url)) as journal:
        backend = {"name": "corp", "type": "ldap", "state": "active", "updated": 0}
        journal.write_now(lambda tx: tx.run(_BACKEND, **backend))
        yield journal
