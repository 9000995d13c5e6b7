"""The journal's tables of the guard against mass changes (bridge.journal.holds).

Rule: what is held is a mark on its cursor; here is only why, and what was counted.
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, PrimaryKeyConstraint, Table, text

from bridge.journal.tables import Text, cursor, metadata

PARKED, HELD = 1, 2
"""What `cursor.parked` is besides 0: it waits for a person, or for the end of a hold."""

# One row, the limits in force for every process; without it nothing is guarded.
guard = Table(
    "guard",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("changes", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("micros", BigInteger, nullable=False),  # the window
)

# What was taken away lately, by minute; people are counted once a minute at most.
loss = Table(
    "loss",
    metadata,
    Column("organization", Text, nullable=False),
    Column("minute", BigInteger, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("people", Integer),
    PrimaryKeyConstraint("organization", "minute"),
    sqlite_with_rowid=False,
)

hold = Table(
    "hold",
    metadata,
    Column("organization", Text, primary_key=True),
    Column("opened", BigInteger, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("allowed", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    sqlite_with_rowid=False,
)

Index(
    "cursor_held",
    cursor.c.organization,
    cursor.c.backend,
    sqlite_where=text("parked = 2"),
    postgresql_where=text("parked = 2"),
)
