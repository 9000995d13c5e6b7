"""A defect: a backend that is right but for one thing, and the laws that find it.

Rule: every law of the contract finds some defect; `test_defects` holds the table to that.
"""

from collections.abc import Callable
from typing import TypeVar

from tests.contract.memory import Memory

DEFECTS: dict[type[Memory], tuple[str, ...]] = {}
"""Defect to the laws that must find it."""


Defect = TypeVar("Defect", bound=type[Memory])


def found_by(*laws: str) -> Callable[[Defect], Defect]:
    """Say which laws find a defect."""

    def note(defect: Defect) -> Defect:
        DEFECTS[defect] = laws
        return defect

    return note
