"""Proven here: a token is recognised by its digest alone, and every refusal looks the same."""

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
from bridge.auth.tokens import Authenticator, Caller, mint
from bridge.codec import to_micros
from bridge.core.changes import Cause
from bridge.core.errors import Unauthorized
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


@given(st.text())
def test_no_text_but_a_token_has_an_id(text: str) -> None:
    assert tokens.token_id(text) is None


@given(st.integers(0), st.sampled_from(string.ascii_letters + string.digits))
def test_one_wrong_character_is_noticed_before_any_look_up(position: int, character: str) -> None:
    text = mint(KEY).text.reveal()
    position %= len(text)
    changed = text[:position] + character + text[position + 1 :]
    assert (tokens.token_id(changed) is None) == (changed != text)
