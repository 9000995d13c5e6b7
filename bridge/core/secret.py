"""A secret value that never shows itself.

Rule: the only way to the text is `reveal()`, which is easy to search for.
"""

import attrs


@attrs.frozen(repr=False)
class Secret:
    """A secret string (token, password, key); `str`, `repr` and formatting print `***`."""

    _value: str = attrs.field(eq=True)

    def reveal(self) -> str:
        """Return the secret text, for the one call that has to send or compare it."""
        return self._value

    def __str__(self) -> str:
        return "***"

    def __repr__(self) -> str:
        return "Secret(***)"

    def __bool__(self) -> bool:
        return bool(self._value)
