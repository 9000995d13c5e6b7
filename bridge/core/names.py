"""Names that people give: of organizations, workspaces, folders, connections and tokens.

Rule: a name is one line that a person can read.
"""

from bridge.core.errors import OperatorError

NAME_CHARACTERS = 200
"""Longest name."""


def checked_name(name: str) -> str:
    """Return a name without white space around it. Raises OperatorError BRG-NAME-INVALID."""
    shown = name.strip()
    if not 0 < len(shown) <= NAME_CHARACTERS or not shown.isprintable():
        raise OperatorError(
            "BRG-NAME-INVALID",
            f"A name has 1 to {NAME_CHARACTERS} printable characters.",
            "Choose another name.",
        )
    return shown
