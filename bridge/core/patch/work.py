"""How much a PATCH may cost: it runs where all changes of an installation wait for each other.

One unit is one value looked at; a filter looks at every entry once for each of its terms, and a
long text counts as several. A unit takes a few microseconds.

Rule: what something costs is known, and refused, before it is done.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from bridge.core.errors import PayloadTooLarge
from bridge.core.filters import And, FilterNode, Not, Or, Within

WORK_LIMIT = 75_000
"""Most units of one PATCH; about half a second."""

TEXT_UNIT_CHARACTERS = 512
"""Characters of a text that count as one value more."""


@attrs.define
class Work:
    """What a PATCH has cost so far."""

    spent: int = 0

    def look(self, entries: Sequence[Any], given: Any, node: FilterNode | None) -> None:
        """Count a change of an attribute: its entries, the values given, the filter's terms.

        Raises PayloadTooLarge when it is too much.
        """
        times = 1 if node is None else 1 + terms(node)
        self.spent += times * sum(map(_weight, entries))
        self.spent += sum(map(_weight, given)) if isinstance(given, list) else 1
        if self.spent > WORK_LIMIT:
            raise PayloadTooLarge(
                f"The PATCH exceeds the limit of {WORK_LIMIT} values to look at; "
                "send its operations in several requests, or with shorter filters."
            )


def terms(node: FilterNode) -> int:
    """Return how many comparisons a filter makes for each entry."""
    match node:
        case And(parts) | Or(parts):
            return sum(map(terms, parts))
        case Not(part) | Within(_, part):
            return terms(part)
    return 1


def _weight(entry: Any) -> int:
    return 1 + sum(len(text) // TEXT_UNIT_CHARACTERS for text in _texts(entry))


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                if isinstance(part, str):
                    yield part
