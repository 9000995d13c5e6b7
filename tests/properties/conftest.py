"""A journal for the laws."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bridge.journal import tables
from bridge.journal.statements import insert_into
from bridge.journal.store import Journal, open_journal, prepared

_BACKEND = prepared(insert_into(tables.backend, ("name", "type", "state", "updated")))


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """One journal for all examples; each has an organization of its own."""
    with closing(open_journal(f"sqlite:///{tmp_path_factory.mktemp('laws')}/journal")) as journal:
        backend = {"name": "corp", "type": "ldap", "state": "active", "updated": 0}
        journal.write_now(lambda tx: tx.run(_BACKEND, **backend))
        yield journal
