"""A process that follows changes of access until it is killed: `follower.py JOURNAL_URL`."""

import sys
import time

from bridge.journal import following
from bridge.journal.store import open_journal

journal = open_journal(sys.argv[1])
print("open", flush=True)  # noqa: T201
while True:
    if not journal.write_now(following.follow):
        time.sleep(0.005)
