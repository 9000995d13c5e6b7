"""Proven here: a token is recognised by its digest alone, and every refusal looks the same."""

import base64
import string
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.auth import tokens
from bridge.auth.failures import Failures
from bridge.auth.tokens import Authenticator, Caller, mint
from bridge.codec import to_micros
from bridge.core.changes import Cause
from bridge.core.errors import TooManyRequests, Unauthorized
from bridge.core.secret import Secret
from bridge.journal import tenants
from bridge.journal.store import Journal, Transaction, open_journal
from bridge.journal.tenants import Connection

KEY = Secret("installation-key-of-32-characters")
CAUSE = Cause("test", "test", datetime.now(UTC))


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    path = tmp_path_factory.mktemp("tokens") / "journal.sqlite3"
    with closing(open_journal(f"sqlite:///{path}")) as opened:
        yield opened


@pytest.fixture(scope="module")
def connection(journal: Journal) -> Connection:
    def make(tx: Transaction) -> Connection:
        tenants.create_organization(tx, "acme", "Acme", CAUSE)
        return tenants.create_connection(tx, "acme", "c1", "Okta", "okta", CAUSE)

    return journal.write_now(make)


@pytest.fixture(scope="module")
def new_token(journal: Journal, connection: Connection) -> Callable[..., str]:
    def make(**more: Any) -> str:
        minted = mint(KEY)
        journal.write_now(
            lambda tx: tenants.create_token(tx, connection, minted.id, minted.digest, CAUSE, **more)
        )
        return minted.text.reveal()

    return make


@pytest.fixture(scope="module")
def token(new_token: Callable[..., str]) -> str:
    return new_token()


@pytest.fixture(scope="module")
def authenticate(journal: Journal) -> Authenticator:
    return Authenticator(journal, KEY)


def other_secret(text: str) -> str:
    """The same public id with another secret and its right checksum."""
    swapped = "a" if text[20] != "a" else "b"
    bare = (text[:20] + swapped + text[21:])[: -tokens.CHECKSUM_LENGTH]
    return bare + tokens._checksum(bare)


def is_refused(authenticate: Authenticator, header: str) -> bool:
    try:
        authenticate(header)
    except Unauthorized:
        return True
    return False


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER   {}  ", "{}", " {} "])
def test_O_3_with_the_scheme_or_bare(header: str, token: str, authenticate: Authenticator) -> None:
    caller = authenticate(header.format(token))
    assert caller == Caller("acme", "c1", "okta", tokens.token_id(token) or "")
    assert caller.actor == "connection:c1"


REFUSED: dict[str, Callable[[str], str | None]] = {
    "nothing": lambda _: None,
    "empty": lambda _: "",
    "scheme only": lambda _: "Bearer",
    "O-4: Okta's probe": lambda _: "non-token",
    "another scheme": lambda token: f"Basic {token}",
    "empty secret": lambda _: "Bearer brg__",
    "typing error": lambda token: f"Bearer {token[:-1]}",
    "not ASCII": lambda token: f"Bearer {token[:-1]}é",
    "unknown id": lambda _: f"Bearer {mint(KEY).text.reveal()}",
    "wrong secret": lambda token: f"Bearer {other_secret(token)}",
}


@pytest.mark.parametrize("header", REFUSED.values(), ids=REFUSED.keys())
def test_every_refusal_says_the_same(
    header: Callable[[str], str | None], token: str, authenticate: Authenticator
) -> None:
    with pytest.raises(Unauthorized) as refusal:
        authenticate(header(token))
    assert refusal.value.detail == tokens.REFUSED


def test_a_token_of_another_installation_is_refused(journal: Journal, token: str) -> None:
    with pytest.raises(Unauthorized):
        Authenticator(journal, Secret("another key of this installation"))(token)


def test_a_token_ends_when_it_expires(
    new_token: Callable[..., str], authenticate: Authenticator
) -> None:
    now = to_micros(datetime.now(UTC))
    assert authenticate(new_token(expires=now + 60_000_000)).organization == "acme"
    with pytest.raises(Unauthorized):
        authenticate(new_token(expires=now))


def test_S1_a_revoked_token_is_refused_within_a_second(
    journal: Journal, new_token: Callable[..., str], authenticate: Authenticator
) -> None:
    token = new_token()
    assert authenticate(token).organization == "acme"
    public = tokens.token_id(token) or ""
    assert journal.write_now(lambda tx: tenants.revoke_token(tx, "acme", public, CAUSE))
    until = time.monotonic() + 1
    while time.monotonic() < until and not is_refused(authenticate, token):
        time.sleep(0.01)
    assert is_refused(authenticate, token)


def test_a_good_token_makes_no_other_good(
    new_token: Callable[..., str], authenticate: Authenticator
) -> None:
    token = new_token()
    authenticate(token)
    with pytest.raises(Unauthorized):
        authenticate(other_secret(token))


def test_no_more_tokens_are_remembered_than_the_limit(
    new_token: Callable[..., str], authenticate: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "FRESH_TOKENS", 2)
    for _ in range(4):
        authenticate(new_token())
    assert len(authenticate._fresh) <= 2


def test_a_token_is_not_kept(journal: Journal, token: str) -> None:
    public = tokens.token_id(token) or ""
    row = journal.read_now(lambda reader: tenants.find_token(reader, public))
    assert row is not None
    assert row.digest == tokens.digest(KEY, token)
    assert token.rpartition("_")[2] not in repr(row)
    assert "***" in repr(mint(KEY))
    assert mint(KEY).text != mint(KEY).text


# --- Basic --------------------------------------------------------------------------------------


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


@pytest.fixture(scope="module")
def takes_basic(journal: Journal) -> Authenticator:
    return Authenticator(journal, KEY, basic_profiles=("okta",))


@pytest.mark.parametrize("user", ["", "okta", "a user", "ü"])
def test_O_3_the_token_is_the_password_where_that_is_enabled(
    user: str, token: str, takes_basic: Authenticator, authenticate: Authenticator
) -> None:
    assert takes_basic(basic(f"{user}:{token}")).organization == "acme"
    assert takes_basic(f"bearer {token}").organization == "acme"
    assert is_refused(authenticate, basic(f"{user}:{token}"))


def test_a_profile_that_does_not_take_basic_refuses_it(journal: Journal, token: str) -> None:
    for entra_only in (Authenticator(journal, KEY, basic_profiles=("entra",)) for _ in range(2)):
        assert is_refused(entra_only, basic(f"okta:{token}"))
        assert entra_only(token).organization == "acme"
        assert is_refused(entra_only, basic(f"okta:{token}"))  # known by now, and still not so


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !", "Basic eA==", basic(":"), basic("token"), "Basic \u00e9"]
)
def test_a_basic_header_without_a_token_is_refused(header: str, takes_basic: Authenticator) -> None:
    assert is_refused(takes_basic, header)


def test_R_48_the_challenges_say_what_is_taken(
    takes_basic: Authenticator, authenticate: Authenticator
) -> None:
    for known, header, challenges in (
        (authenticate, None, ('Bearer realm="SCIM"',)),
        (authenticate, "x", ('Bearer realm="SCIM", error="invalid_token"',)),
        (takes_basic, None, ('Bearer realm="SCIM"', 'Basic realm="SCIM", charset="UTF-8"')),
    ):
        with pytest.raises(Unauthorized) as refusal:
            known(header)
        assert refusal.value.challenges == challenges


# --- Too many failures --------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_failures_of_an_address_are_limited(
    journal: Journal, new_token: Callable[..., str]
) -> None:
    clock = Clock()
    limited = Authenticator(journal, KEY, failures=Failures(6, clock))
    known, other = new_token(), new_token()
    assert limited(known, "192.0.2.1").organization == "acme"
    for _ in range(6):
        with pytest.raises(Unauthorized):
            limited("wrong", "192.0.2.1")
    for guess in ("wrong", other, None):
        with pytest.raises(TooManyRequests) as refusal:
            limited(guess, "192.0.2.1")
        assert refusal.value.retry_after_seconds == 10
        assert "authentication_failures" in refusal.value.detail
    assert limited(known, "192.0.2.1").organization == "acme"  # nobody locks out who is known
    assert limited(other, "192.0.2.2").organization == "acme"
    clock.now += 10
    with pytest.raises(Unauthorized):
        limited("wrong", "192.0.2.1")
    with pytest.raises(TooManyRequests):
        limited("wrong", "192.0.2.1")


def test_a_token_that_was_revoked_is_not_known_any_more(
    journal: Journal, new_token: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "FRESH_SECONDS", 0.0)
    limited = Authenticator(journal, KEY, failures=Failures(1, Clock()))
    token = new_token()
    limited(token, "a")
    public = tokens.token_id(token) or ""
    journal.write_now(lambda tx: tenants.revoke_token(tx, "acme", public, CAUSE))
    with pytest.raises(Unauthorized):
        limited(token, "a")
    with pytest.raises(TooManyRequests):
        limited(token, "a")


# --- Last use -----------------------------------------------------------------------------------


def last_used(journal: Journal, token: str) -> int | None:
    public = tokens.token_id(token) or ""
    row = journal.read_now(lambda reader: tenants.find_token(reader, public))
    assert row is not None
    return row.last_used


def wait_for_use(journal: Journal, token: str) -> int:
    until = time.monotonic() + 30
    while (found := last_used(journal, token)) is None and time.monotonic() < until:
        time.sleep(0.01)
    assert found is not None
    return found


def test_the_last_use_is_noted_once_a_minute(
    journal: Journal, new_token: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "FRESH_SECONDS", 0.0)
    authenticate, token = Authenticator(journal, KEY), new_token()
    assert last_used(journal, token) is None
    before = to_micros(datetime.now(UTC))
    authenticate(token)
    first = wait_for_use(journal, token)
    assert before <= first <= to_micros(datetime.now(UTC))
    for _ in range(50):
        authenticate(token)
    journal.write_now(lambda tx: tx.now)  # whatever was to be written soon is behind this
    assert last_used(journal, token) == first
    monkeypatch.setattr(tokens, "USE_NOTED_SECONDS", 0)
    authenticate(token)
    until = time.monotonic() + 30
    while last_used(journal, token) == first and time.monotonic() < until:
        time.sleep(0.01)
    assert (last_used(journal, token) or 0) > first


@given(st.text())
def test_no_text_but_a_token_has_an_id(text: str) -> None:
    assert tokens.token_id(text) is None


@given(st.integers(0), st.sampled_from(string.ascii_letters + string.digits))
def test_one_wrong_character_is_noticed_before_any_look_up(position: int, character: str) -> None:
    text = mint(KEY).text.reveal()
    position %= len(text)
    changed = text[:position] + character + text[position + 1 :]
    assert (tokens.token_id(changed) is None) == (changed != text)
