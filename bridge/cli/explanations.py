"""What `bridge explain` says about each code of the host: what it means, and what to do.

Codes of a plugin's findings (BRG-LDAP-…, BRG-SQL-…) are explained where they are found:
`bridge check` prints message and next step of each.

Rule: every BRG- code in the host's source has an entry in the file, and no entry is without one.
"""

import tomllib
from importlib.resources import files

import attrs


@attrs.frozen
class Explanation:
    """What a code means, and the remedy."""

    meaning: str
    remedy: str


def explanations() -> dict[str, Explanation]:
    """Return every explanation by code; needs no network and no configuration."""
    text = files(__package__).joinpath("explanations.toml").read_text(encoding="utf-8")
    return {
        code: Explanation(" ".join(entry["meaning"].split()), " ".join(entry["remedy"].split()))
        for code, entry in tomllib.loads(text).items()
    }
