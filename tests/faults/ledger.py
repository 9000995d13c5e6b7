"""What was acknowledged, what is journaled, what was written: three lists that must tell one story.

Rule: every judgement is a sentence about one entity, so that a failure can be read.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
from sqlalchemy import select

from bridge.codec import decode
from bridge.journal.statements import prepared
from bridge.journal.store import open_journal
from bridge.journal.tables import change
from tests.faults.recorder import Line, lines

_USERS = prepared(
    select(change.c.entity, change.c.version, change.c.after)
    .where(change.c.type == "User")
    .order_by(change.c.entity, change.c.version)
)

Journaled = Mapping[str, Sequence[str | None]]
"""For each entity the token of version 1, 2, …; None where it was deleted."""


@attrs.frozen
class Acknowledged:
    """A 2xx answer: the entity was said to hold `token` at `version`."""

    id: str
    version: int
    token: str


def journaled(journal_url: str) -> Journaled:
    """Read every version of every user beside a running bridge."""
    journal = open_journal(journal_url, exclusive=False)
    try:
        found: dict[str, list[str | None]] = {}
        for id_, version, after in journal.read_now(lambda reader: reader.rows(_USERS)):
            tokens = found.setdefault(id_, [])
            assert version == len(tokens) + 1, f"{id_}: the journal has a gap before v{version}"
            tokens.append(decode(after).get("title") if after else None)
        return found
    finally:
        journal.close()


def lost(acknowledged: Sequence[Acknowledged], journal: Journaled) -> Iterator[str]:
    """Say which acknowledged changes the journal does not hold."""
    for one in acknowledged:
        tokens = journal.get(one.id, ())
        if len(tokens) < one.version or tokens[one.version - 1] != one.token:
            yield f"{one.id}: v{one.version} was acknowledged and is not in the journal"


def wrong(written: Sequence[Line], journal: Journaled) -> Iterator[str]:
    """Say what a target lacks, was given out of order, twice with effect, or without a cause.

    A write may be repeated until the next one is done; a reader may be spared what is outdated.
    """
    at: dict[str, int] = {}
    for line in written:
        tokens, before = journal.get(line.id, ()), at.get(line.id, 0)
        first, last = line.versions[0], line.versions[-1]
        if last > len(tokens) or tokens[last - 1] != line.token:
            yield f"{line.id}: v{last} was written and is not in the journal"
        if last < before:
            yield f"{line.id}: v{last} was written after v{before}"
        if first > before + 1 and len(line.versions) > 1:
            yield f"{line.id}: v{before + 1} was left out before v{first}"
        at[line.id] = last
    for id_, tokens in journal.items():
        if at.get(id_, 0) != len(tokens):
            yield f"{id_}: v{at.get(id_, 0)} is the last written of {len(tokens)}"


def left_out(written: Sequence[Line], journal: Journaled) -> Iterator[str]:
    """Say which versions a target that takes each on its own was never given."""
    given = {(line.id, version) for line in written for version in line.versions}
    for id_, tokens in journal.items():
        for version in range(1, len(tokens) + 1):
            if (id_, version) not in given:
                yield f"{id_}: v{version} was never written"


def recorded(directory: Path, name: str) -> list[Line]:
    """Return what a recorder or mirror of this name was given."""
    return list(lines(directory / f"{name}.lines"))
