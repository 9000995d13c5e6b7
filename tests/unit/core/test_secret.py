"""A secret shows itself only to the one who asks for it by name."""

from bridge.core.secret import Secret


def test_no_way_of_printing_shows_it() -> None:
    secret = Secret("hunter2")
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>20}",
        str([secret]),
    ]
    assert not any("hunter2" in text for text in shown)
    assert "***" in shown[0]


def test_reveal_gives_it_and_emptiness_is_false() -> None:
    assert Secret("hunter2").reveal() == "hunter2"
    assert Secret("hunter2") == Secret("hunter2")
    assert not Secret("")
