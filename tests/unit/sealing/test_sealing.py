"""A sealed secret opens under its own install key only, and says nothing until then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.secret import Secret
from bridge.sealing import CannotOpen, Sealed, Sealer

KEY = Secret("an installation key of 32 letters")
SEALER = Sealer(KEY)


@given(st.text())
def test_opened_is_what_was_sealed(text: str) -> None:
    assert SEALER.open(SEALER.seal(Secret(text))) == Secret(text)


def test_seal_shows_nothing_and_never_looks_the_same() -> None:
    secret = Secret("correct-horse-battery")
    sealed = SEALER.seal(secret)
    assert (str(sealed), repr(sealed)) == ("***", "Secret(***)")
    assert secret.reveal() not in sealed.reveal()
    assert sealed != SEALER.seal(secret)


@pytest.mark.parametrize("damage", ["key", "text", "truncated", "empty", "clear"])
def test_what_was_not_sealed_here_does_not_open(damage: str) -> None:
    good = SEALER.seal(Secret("correct-horse-battery")).reveal()
    opener, seal = {
        "key": (Sealer(Secret(KEY.reveal() + "!")), good),
        "text": (SEALER, good[:-9] + ("A" if good[-9] != "A" else "B") + good[-8:]),
        "truncated": (SEALER, good[:-4]),
        "empty": (SEALER, ""),
        "clear": (SEALER, "correct-horse-battery"),
    }[damage]
    with pytest.raises(CannotOpen) as refused:
        opener.open(Sealed(seal))
    assert "correct-horse" not in str(refused.value)
