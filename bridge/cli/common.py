"""What every command takes, and how it gets at the configuration and the journal.

A command works on the journal itself, beside a running bridge or without one: SQLite and
PostgreSQL both let a second process write one transaction.

Rule: a command opens what it needs for as long as it needs it.
"""

import getpass
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter

from bridge.core.errors import OperatorError

if TYPE_CHECKING:
    from bridge.config import Loaded
    from bridge.core.changes import Cause
    from bridge.journal.store import Journal

DEFAULT_FILE = Path("bridge.toml")


@Parameter(name="*")
@attrs.frozen
class Common:
    """Options of every command that reads the configuration."""

    config: Annotated[Path, Parameter(env_var="BRIDGE_CONFIG")] = DEFAULT_FILE
    "Configuration file."
    json: Annotated[bool, Parameter(negative=())] = False
    "Print JSON."

    def load(self) -> "Loaded":
        """Read the configuration."""
        from bridge.config import load

        return load(self.config, os.environ)


COMMON = Common()
"""What a command gets when no option is given."""

Json = Annotated[bool, Parameter(negative=())]
"""`--json` of a command that needs no configuration."""


def operator_cause() -> "Cause":
    """Return the cause of what is done at the command line: the account that runs it."""
    from bridge.core.changes import Cause

    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container may run an account without a name
        account = str(os.getuid())
    return Cause(f"operator:{account}", uuid.uuid4().hex, datetime.now(UTC))


@contextmanager
def journal_of(loaded: "Loaded") -> Iterator["Journal"]:
    """Open the journal: alone if nobody serves it, else beside the running bridge."""
    from bridge.journal.store import open_configured

    try:
        journal = open_configured(loaded)
    except OperatorError as error:
        if error.code != "BRG-JOURNAL-LOCKED":
            raise
        journal = open_configured(loaded, exclusive=False)
    try:
        yield journal
    finally:
        journal.close()
