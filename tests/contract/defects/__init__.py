"""Backends with one defect each, by the laws that find them."""

from tests.contract.defect import DEFECTS
from tests.contract.defects import (
    accessing,
    crossing,
    enduring,
    following,
    hostility,
    looking,
    manners,
    scanning,
    together,
)

__all__ = [
    "DEFECTS",
    "accessing",
    "crossing",
    "enduring",
    "following",
    "hostility",
    "looking",
    "manners",
    "scanning",
    "together",
]
