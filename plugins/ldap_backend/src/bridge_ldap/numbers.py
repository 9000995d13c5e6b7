"""Numbers that nobody else has: uidNumber and gidNumber (RFC 2307 2.2).

Where to look first follows from the entry's name, so that neighbours do not race for one number.
Two that still took the same one both see it when they look afterwards, and each takes another.

Rule: a number counts as taken only after looking twice: before it is written, and once it is.
"""

import hashlib
from collections.abc import Iterator, Mapping

import attrs

from bridge.plugin import Park
from bridge_ldap import dn
from bridge_ldap.answers import NO_ATTRIBUTES
from bridge_ldap.client import Client
from bridge_ldap.mapping import Values
from bridge_ldap.settings import Settings
from bridge_ldap.steps import Ranges

TRIES = 100
"""How many numbers of a range are looked at before it counts as full."""


@attrs.frozen
class NumberPicker:
    """Finds numbers for one entry."""

    settings: Settings
    client: Client
    entry: str

    def free(self, name: str, range_: tuple[int, int]) -> str:
        """Return a number that no entry has; raises Park when the range is (nearly) full."""
        for number in self._candidates(name, range_):
            if not self._holders(name, number):
                return number
        first, last = range_
        raise Park(
            f"no free {name} was found from {first} to {last}",
            f"Widen the range numbers.{name} in the settings.",
        )

    def settle(self, ranges: Ranges, picked: Mapping[str, Values]) -> None:
        """Make sure that nobody took one of these numbers at the same time."""
        for name, (number,) in picked.items():
            ours = number
            while len(self._holders(name, ours)) > 1:
                ours = self.free(name, ranges[name])
                self.client.modify(self.entry, [("replace", name, (ours,))])

    def _candidates(self, name: str, range_: tuple[int, int]) -> Iterator[str]:
        first, last = range_
        size = last - first + 1
        seed = hashlib.sha256(f"{name} {self.entry}".encode()).digest()
        for turn in range(min(TRIES, size)):
            yield str(first + (int.from_bytes(seed) + turn) % size)

    def _holders(self, name: str, number: str) -> list[str]:
        matching = dn.equals(name, number)
        return [
            found.dn
            for base in self.settings.bases
            for found in self.client.search(base, matching, NO_ATTRIBUTES)
        ]
