"""OAuth 2.0, the second half: clients redeem codes, refresh, ask for themselves, and revoke.

RFC 6749 sections 4.1.3, 4.4, 5 and 6, RFC 7009, RFC 7636. A refresh token stays the same: its
client is confidential, and an answer that got lost must not end a connection (RFC 9700 section
4.14.2 asks for rotation of public clients only).

Rule: what is issued belongs to one grant of one client; ending the grant ends all of it.
"""

import base64
import hmac
import uuid
from collections.abc import Callable, Sequence
from hashlib import sha256
from urllib.parse import unquote_plus

import attrs

from bridge.auth.failures import Failures
from bridge.auth.tokens import PREFIX, Minted, digest, is_digest, mint, token_id
from bridge.core.changes import Cause
from bridge.core.secret import Secret
from bridge.journal import authorizations, tenants
from bridge.journal.authorizations import Client, Grant, Question
from bridge.journal.store import Journal, Transaction
from bridge.journal.tenants import Connection

CLIENT_PREFIX = "brc"
REFRESH_PREFIX = "brr"

ACCESS_SECONDS = 3600
"""How long an access token lives."""

REFRESH_IDLE_SECONDS = 180 * 86_400
"""How long a refresh token may rest; every use begins it anew."""

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")

_VERIFIER_CHARACTERS = (43, 128)

Parameters = Sequence[tuple[str, str]]


@attrs.frozen
class Denied(Exception):
    """A refusal by RFC 6749 section 5.2; `basic` tells that the client tried Basic."""

    error: str
    description: str
    status: int = 400
    basic: bool = False


@attrs.frozen
class Issued:
    """What a client gets; `refresh` None where it can ask again by itself."""

    access: Secret
    refresh: Secret | None
    seconds: int = ACCESS_SECONDS


class Issuing:
    """Answers `/oauth/token` and `/oauth/revoke`."""

    def __init__(self, journal: Journal, key: Secret, failures: Failures) -> None:
        self._journal = journal
        self._key = key
        self._failures = failures

    def issued(
        self, parameters: Parameters, header: str | None, address: str, cause: Cause
    ) -> Issued:
        """Return new tokens. Raises Denied, and TooManyRequests by the address's failures."""
        values = _once(parameters)
        client = self._client(values, header, address)
        kind = values.get("grant_type", "")
        ways: dict[str, Callable[[dict[str, str], Client, Cause], Issued | Denied]] = {
            "authorization_code": self._for_code,
            "refresh_token": self._for_refresh,
            "client_credentials": self._for_itself,
        }
        if not kind:
            raise Denied("invalid_request", "grant_type is missing.")
        if kind not in ways:
            raise Denied("unsupported_grant_type", f"Use one of {', '.join(GRANT_TYPES)}.")
        own = attrs.evolve(cause, actor=f"client:{client.id}")
        answer = ways[kind](values, client, own)
        if isinstance(answer, Denied):
            raise answer
        return answer

    def revoke(
        self, parameters: Parameters, header: str | None, address: str, cause: Cause
    ) -> None:
        """End what a token belongs to (RFC 7009), if it is this client's. Raises Denied."""
        values = _once(parameters)
        client = self._client(values, header, address)
        text = values.get("token", "")
        if not text:
            raise Denied("invalid_request", "token is missing.")
        own = attrs.evolve(cause, actor=f"client:{client.id}")

        def unit(tx: Transaction) -> None:
            found = authorizations.refreshing(tx, client, digest(self._key, text))
            access = token_id(text)
            if found is None and access is not None:
                known = tenants.find_token(tx, access)
                if known is not None and known.digest == digest(self._key, text):
                    found = authorizations.grant_of_token(tx, client, access)
            if found is not None:
                authorizations.end_grant(tx, found, own)

        self._journal.write_now(unit)

    def _client(self, values: dict[str, str], header: str | None, address: str) -> Client:
        self._failures.check(address)
        basic = _basic(header)
        if basic is not None and "client_secret" in values:
            raise Denied("invalid_request", "The client is named both by Basic and in the body.")
        client_id, secret = basic or (values.get("client_id", ""), values.get("client_secret", ""))
        if basic is not None and values.get("client_id", client_id) != client_id:
            raise Denied("invalid_request", "Two different clients are named.")
        found = self._journal.read_now(lambda reader: authorizations.find_client(reader, client_id))
        offered = digest(self._key, secret)
        right = is_digest(found.digest if found else None, offered)
        if found is None or not right:
            self._failures.count(address)
            raise Denied("invalid_client", "Client ID or secret is not right.", 401, bool(basic))
        return found

    def _for_code(self, values: dict[str, str], client: Client, cause: Cause) -> Issued | Denied:
        code = digest(self._key, values.get("code", ""))
        minted = mint(self._key, REFRESH_PREFIX)

        def unit(tx: Transaction) -> Issued | Denied:
            question = authorizations.find_code(tx, client, code)
            if question is None:
                return Denied("invalid_grant", "This code is not valid for this client.")
            if not authorizations.redeem(tx, question):
                # Somebody else has the code too: what was issued for it is safe no more.
                given = authorizations.grant_by_id(tx, client, question.grant)
                if given is not None:
                    authorizations.end_grant(tx, given, cause)
                return Denied("invalid_grant", "This code was used before.")
            if (wrong := _wrong_with(question, values, tx.now)) is not None:
                return wrong
            made = authorizations.grant(
                tx, client, str(uuid.uuid4()), minted.digest, question, cause
            )
            return self._access(tx, made, client, cause, minted.text)

        return self._journal.write_now(unit)

    def _for_refresh(self, values: dict[str, str], client: Client, cause: Cause) -> Issued | Denied:
        text = Secret(values.get("refresh_token", ""))

        def unit(tx: Transaction) -> Issued | Denied:
            found = authorizations.refreshing(tx, client, digest(self._key, text.reveal()))
            if found is None:
                return Denied("invalid_grant", "This refresh token is not valid for this client.")
            if tx.now - found.used > REFRESH_IDLE_SECONDS * 1_000_000:
                authorizations.end_grant(tx, found, cause)
                return Denied("invalid_grant", "This refresh token has not been used for too long.")
            return self._access(tx, found, client, cause, text)

        return self._journal.write_now(unit)

    def _for_itself(self, _values: dict[str, str], client: Client, cause: Cause) -> Issued | Denied:
        def unit(tx: Transaction) -> Issued | Denied:
            live = [one for one in authorizations.live_grants(tx, client) if one.account is None]
            made = (
                live[0]
                if live
                else authorizations.grant(tx, client, str(uuid.uuid4()), None, None, cause)
            )
            return self._access(tx, made, client, cause, None)

        return self._journal.write_now(unit)

    def _access(
        self, tx: Transaction, grant: Grant, client: Client, cause: Cause, refresh: Secret | None
    ) -> Issued | Denied:
        minted: Minted = mint(self._key, PREFIX)
        connection = _connection(tx, client)
        if connection is None:
            return Denied("invalid_grant", "The connection of this client is gone.")
        authorizations.add_token(
            tx, grant, connection, minted.id, minted.digest, ACCESS_SECONDS, cause
        )
        return Issued(minted.text, refresh)


def _connection(tx: Transaction, client: Client) -> Connection | None:
    every = tenants.list_connections(tx, client.organization)
    return next((one for one in every if one.id == client.connection), None)


def _once(parameters: Parameters) -> dict[str, str]:
    values = dict(parameters)
    if len(values) < len(parameters):
        raise Denied("invalid_request", "A parameter stands there twice.")
    return values


def _basic(header: str | None) -> tuple[str, str] | None:
    """Return client ID and secret of a Basic header, each urlencoded (RFC 6749 section 2.3.1)."""
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise Denied("invalid_client", "The Basic header is malformed.", 401, basic=True) from None
    return unquote_plus(name), unquote_plus(secret)


def _wrong_with(question: Question, values: dict[str, str], now: int) -> Denied | None:
    if question.expires <= now:
        return Denied("invalid_grant", "This code has expired.")
    if values.get("redirect_uri") != question.redirect_uri:
        return Denied("invalid_grant", "redirect_uri is not the one that the code was sent to.")
    verifier = values.get("code_verifier")
    if (verifier is None) != (question.challenge is None):
        return Denied("invalid_grant", "code_verifier and code_challenge come together or not.")
    if verifier is not None and not _proves(verifier, question.challenge or ""):
        return Denied("invalid_grant", "code_verifier does not match the code_challenge.")
    return None


def _proves(verifier: str, challenge: str) -> bool:
    least, most = _VERIFIER_CHARACTERS
    if not least <= len(verifier) <= most or not verifier.isascii():
        return False
    made = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)
