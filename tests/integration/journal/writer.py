"""A process that creates users as fast as it can and says, one line each, what is acknowledged.

    python tests/integration/journal/writer.py JOURNAL NUMBER_FROM [FILE_LIMIT_BYTES]

Each of its eight writers creates a user and then makes it the member of one group, so that a unit
touches several tables. A line is written only after the journal has said that it is durable.
With a limit, files may not grow beyond it: the kernel refuses further writes, as on a full disk.
"""

import asyncio
import os
import resource as limits
import sys
from contextlib import closing
from functools import partial

from bridge.core.errors import Unavailable
from bridge.core.members import AddMembers
from bridge.core.schema import GROUP, USER
from bridge.journal import record, resources
from bridge.journal.store import Journal, Transaction, open_journal
from tests.unit.journal.scene import ACME, CAUSE

WRITERS = 8


async def write_all(journal: Journal, number: int) -> None:
    """Write until killed, or until the journal refuses."""

    def group(tx: Transaction) -> None:
        if resources.get(tx, GROUP, ACME, "all") is None:
            record.create(tx, GROUP, ACME, "all", {"displayName": "all"}, (), CAUSE)

    def join(id_: str, tx: Transaction) -> int:
        record.create(tx, USER, ACME, id_, {"userName": id_, "title": "x" * 500}, (), CAUSE)
        before = resources.get(tx, GROUP, ACME, "all")
        assert before is not None
        edits = [AddMembers((id_,))]
        return record.update(tx, GROUP, before, before.attributes, edits, CAUSE).version

    async def writer() -> None:
        nonlocal number
        while True:
            number += 1
            id_ = f"u{number}"
            version = await journal.write(partial(join, id_))
            os.write(1, f"{id_} {version}\n".encode())

    await journal.write(group)
    try:
        await asyncio.gather(*(writer() for _ in range(WRITERS)))
    except Unavailable as refused:
        os.write(2, f"{refused.detail}\n".encode())


if __name__ == "__main__":
    with closing(open_journal(f"sqlite:///{sys.argv[1]}")) as journal:
        if sys.argv[3:]:
            limits.setrlimit(limits.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
        asyncio.run(write_all(journal, int(sys.argv[2])))
