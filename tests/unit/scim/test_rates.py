"""Proven here: a rate is kept, a burst is allowed, and the wait is told in whole seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.auth.rates import Rate
from bridge.auth.tokens import Caller
from bridge.core.errors import TooManyRequests
from bridge.scim.rates import BURST_SECONDS, Rates


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def caller(connection: str, organization: str = "acme") -> Caller:
    return Caller(organization, connection, "okta", "t")


def sent_until_refused(rates: Rates, who: Caller) -> int:
    sent = 0
    while True:
        try:
            rates.count(who)
        except TooManyRequests:
            return sent
        sent += 1


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    rates = Rates(2.0, 0.0, clock)
    assert sent_until_refused(rates, caller("c1")) == 2 * BURST_SECONDS
    clock.now += 3
    assert sent_until_refused(rates, caller("c1")) == 6
    assert sent_until_refused(rates, caller("c2")) == 2 * BURST_SECONDS


def test_connections_share_the_rate_of_their_organization() -> None:
    rates = Rates(0.0, 1.0, Clock())
    assert sent_until_refused(rates, caller("c1")) == BURST_SECONDS
    assert sent_until_refused(rates, caller("c2")) == 0
    assert sent_until_refused(rates, caller("c3", "other")) == BURST_SECONDS


def test_no_rate_no_limit() -> None:
    rates = Rates(0.0, 0.0, Clock())
    for _ in range(1000):
        rates.count(caller("c1"))


def wait_told(rates: Rates, who: Caller) -> int:
    try:
        rates.count(who)
    except TooManyRequests as refusal:
        return refusal.retry_after_seconds
    return 0


@given(st.floats(0.01, 50), st.lists(st.floats(0, 5), max_size=200))
def test_O_6_whoever_waits_as_told_is_let_in(rate: float, pauses: list[float]) -> None:
    clock = Clock()
    rates = Rates(rate, 0.0, clock)
    for pause in pauses:
        clock.now += pause
        if wait := wait_told(rates, caller("c1")):
            clock.now += wait
            assert wait_told(rates, caller("c1")) == 0
    assert len(pauses) <= max(1, rate * BURST_SECONDS) + rate * clock.now + 1


def test_a_slow_rate_still_lets_one_in() -> None:
    rates = Rates(0.05, 0.0, Clock())
    rates.count(caller("c1"))
    with pytest.raises(TooManyRequests) as refusal:
        rates.count(caller("c1"))
    assert refusal.value.retry_after_seconds == 20


def test_what_is_charged_is_paid_by_the_next_ones() -> None:
    clock = Clock()
    rates = Rates(2.0, 0.0, clock)
    rates.count(caller("c1"))
    rates.charge(caller("c1"), 29)
    assert wait_told(rates, caller("c1")) == 6
    clock.now += 5.5
    assert wait_told(rates, caller("c1")) == 0
    rates.charge(caller("c1"), 1)
    assert wait_told(rates, caller("c2")) == 0


def test_keys_that_rest_longest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.auth.rates.KEYS_KEPT", 2)
    rate = Rate(1.0, 1.0, Clock())
    for key in ("a", "b", "a", "c"):
        rate.take(key)
    assert [rate.wait_seconds(key) > 0 for key in "abc"] == [True, False, True]
