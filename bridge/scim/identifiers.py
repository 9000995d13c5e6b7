"""Server-made identifiers: UUID version 7 (RFC 9562 section 5.7), so that they sort by time.

The random part keeps processes apart and is no secret, so it is not worth a system call each.

Rule: within one process a later identifier is always greater; across processes nearly always.
"""

import random
import threading
import time

_COUNTER_BITS = 12
_RANDOM_BITS = 62
_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a new identifier; the 12 bits after the millisecond count within it."""
    global _last  # noqa: PLW0603 - one monotonic sequence per process
    with _lock:
        now = (time.time_ns() // 1_000_000) << _COUNTER_BITS
        _last = max(_last + 1, now)
        ticks = _last
    milliseconds, counter = divmod(ticks, 1 << _COUNTER_BITS)
    tail = 0b10 << _RANDOM_BITS | random.getrandbits(_RANDOM_BITS)
    text = f"{milliseconds:012x}7{counter:03x}{tail:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
