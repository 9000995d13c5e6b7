"""OAuth 2.0, the first half: an identity provider asks, a person approves or denies.

RFC 6749 section 4.1 with what RFC 9700 adds: registered redirect URIs compared letter by letter,
PKCE (S256) held to whenever it was offered, one decision for one question.

Rule: nobody is sent anywhere before client and redirect URI are known to belong together.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

import attrs

from bridge.auth.admins import Role
from bridge.auth.tokens import digest
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.core.secret import Secret
from bridge.journal import authorizations, tenants
from bridge.journal.accounts import Account
from bridge.journal.authorizations import Client, Question
from bridge.journal.store import Journal, Transaction

CODE_SECONDS = 60
"""How long an authorization code may be redeemed."""

QUESTION_SECONDS = 600
"""How long a person may take to decide."""

PARAMETER_CHARACTERS = 2048
"""Longest value of a parameter."""

_SECRET_BYTES = 32
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_ONCE = (
    *("response_type", "client_id", "redirect_uri", "state", "scope", "response_mode"),
    *("code_challenge", "code_challenge_method", "request", "request_uri"),
)

Parameters = Sequence[tuple[str, str]]


class Unanswerable(Exception):
    """The request names no client with that redirect URI: a page of ours says so, here."""


@attrs.frozen
class Refused(Exception):
    """The client is told by redirection: `error` is a code of RFC 6749 section 4.1.2.1."""

    error: str
    description: str
    redirect_uri: str
    state: str | None

    def location(self, issuer: str) -> str:
        """Return where the browser goes."""
        told = {"error": self.error, "error_description": self.description}
        return answer_at(self.redirect_uri, told, self.state, issuer)


@attrs.frozen
class Asked:
    """A request that may be put to a person."""

    client: Client
    redirect_uri: str
    state: str | None
    challenge: str | None


def answer_at(redirect_uri: str, told: Mapping[str, str], state: str | None, issuer: str) -> str:
    """Return a redirect URI with an answer; `state` as it came, `iss` by RFC 9207."""
    members = {**told, **({"state": state} if state is not None else {}), "iss": issuer}
    return f"{redirect_uri}{'&' if urlsplit(redirect_uri).query else '?'}{urlencode(members)}"


def check_redirect_uri(uri: str) -> str:
    """Return a redirect URI that may be registered.

    https without a fragment; http only to this machine itself. Raises OperatorError
    BRG-REDIRECT-INVALID.
    """
    parts = urlsplit(uri)
    here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    allowed = parts.scheme == "https" or (parts.scheme == "http" and here)
    odd = parts.username is not None or parts.fragment or "*" in uri or not uri.isascii()
    if not allowed or not parts.hostname or odd or any(c <= " " or c == "\\" for c in uri):
        raise OperatorError(
            "BRG-REDIRECT-INVALID",
            f"{uri!r} is no address that an answer can be sent to.",
            "Give a whole https:// address without a fragment and without placeholders.",
        )
    return uri


class Authorizing:
    """Puts the requests of clients to people, and their decisions to the clients."""

    def __init__(self, journal: Journal, key: Secret, issuer: str) -> None:
        """`issuer` is the public address of the bridge."""
        self._journal = journal
        self._key = key
        self.issuer = issuer

    def asked(self, parameters: Parameters) -> Asked:
        """Return the request of `GET /oauth/authorize`. Raises Unanswerable and Refused."""
        values = dict(parameters)
        client, redirect_uri = self._addressed(parameters, values)
        state = values.get("state")

        def refuse(error: str, description: str) -> Refused:
            return Refused(error, description, redirect_uri, state)

        for name in _ONCE:
            if sum(1 for given, _ in parameters if given == name) > 1:
                raise refuse("invalid_request", f"{name} stands there twice.")
            if len(values.get(name, "")) > PARAMETER_CHARACTERS:
                raise refuse("invalid_request", f"{name} is too long.")
        if "request" in values or "request_uri" in values:
            raise refuse("request_not_supported", "Request objects are not supported.")
        if "response_type" not in values:
            raise refuse("invalid_request", "response_type is missing.")
        if values["response_type"] != "code":
            raise refuse("unsupported_response_type", "Only response_type=code is supported.")
        if values.get("response_mode", "query") != "query":
            raise refuse("invalid_request", "Only response_mode=query is supported.")
        challenge, method = values.get("code_challenge"), values.get("code_challenge_method")
        if (challenge is None) != (method is None) or method not in (None, "S256"):
            raise refuse("invalid_request", "A code_challenge needs the method S256.")
        if challenge is not None and not _CHALLENGE.fullmatch(challenge):
            raise refuse("invalid_request", "code_challenge is no SHA-256 in base64url.")
        return Asked(client, redirect_uri, state, challenge)

    def ask(self, asked: Asked, account: Account) -> Secret:
        """Write the question down and return the ticket with which this account may decide it."""
        ticket = Secret(secrets.token_urlsafe(_SECRET_BYTES))
        known = digest(self._key, ticket.reveal())

        def unit(tx: Transaction) -> None:
            until = tx.now + QUESTION_SECONDS * 1_000_000
            authorizations.ask(
                tx,
                Question(
                    known,
                    asked.client.id,
                    account.id,
                    asked.redirect_uri,
                    asked.state,
                    asked.challenge,
                    until,
                ),
            )

        self._journal.write_now(unit)
        return ticket

    def organization_name(self, client: Client) -> str:
        """Return the name of the organization that a client belongs to."""
        every = self._journal.read_now(tenants.list_organizations)
        return next((one.name for one in every if one.id == client.organization), "")

    def decided(self, ticket: str, account: Account, *, approve: bool, cause: Cause) -> str:
        """Write a decision and return where it is told. Raises Unanswerable and Refused."""
        known = digest(self._key, ticket)
        code = Secret(secrets.token_urlsafe(_SECRET_BYTES)) if approve else None
        kept = digest(self._key, code.reveal()) if code else None

        def unit(tx: Transaction) -> tuple[Question, Client | None] | None:
            question = authorizations.decide(tx, known, account.id, kept, CODE_SECONDS)
            if question is None:
                return None
            client = authorizations.find_client(tx, question.client)
            if client is not None:
                authorizations.note_decision(tx, client, cause, approved=approve)
            return question, client

        found = self._journal.write_now(unit)
        if found is None:
            raise Unanswerable(
                "This question was answered already, or is too old. Begin again from your "
                "identity provider."
            )
        question, client = found
        if client is None or code is None:
            said = "The administrator denied the request."
            raise Refused("access_denied", said, question.redirect_uri, question.state)
        told = {"code": code.reveal()}
        return answer_at(question.redirect_uri, told, question.state, self.issuer)

    def _addressed(self, parameters: Parameters, values: Mapping[str, str]) -> tuple[Client, str]:
        twice = {"client_id", "redirect_uri"} & {
            name for name, _ in parameters if sum(1 for other, _ in parameters if other == name) > 1
        }
        client_id, redirect_uri = values.get("client_id", ""), values.get("redirect_uri", "")
        client = self._journal.read_now(
            lambda reader: authorizations.find_client(reader, client_id)
        )
        if client is None or twice:
            raise Unanswerable(
                "This request names no client that is known here. Compare the client ID in the "
                "identity provider with the one this bridge shows."
            )
        if redirect_uri not in client.redirect_uris:
            raise Unanswerable(
                f"The redirect URI of this request is not registered for {client.name}. "
                "An administrator can register it, exactly as the identity provider sends it."
            )
        return client, redirect_uri


def may_approve(account: Account, client: Client) -> bool:
    """Return whether an account may approve a client: an admin of its organization, or of all."""
    return account.role == Role.ADMIN and account.organization in (None, client.organization)
