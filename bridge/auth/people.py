"""People who administer sign in: passwords, one-time links, and the sessions of their browsers.

Passwords are hashed with argon2id (RFC 9106). A cookie's text exists in the browser alone; here is
its digest under the install key.

Rule: a refusal says the same for every cause, and takes as long.
"""

import hmac
import secrets
from functools import cache

import attrs
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bridge.auth.failures import Failures
from bridge.auth.tokens import digest
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError, Unauthorized
from bridge.core.schema.keys import name_key
from bridge.core.secret import Secret
from bridge.journal import accounts
from bridge.journal.accounts import Account, SignedIn
from bridge.journal.store import Journal, Transaction

SESSION_SECONDS = 12 * 3600
"""How long a browser stays signed in."""

STEP_UP_SECONDS = 900
"""How long ago a person may have signed in at most to approve a client or to make a token."""

LINK_SECONDS = 3600
"""How long a one-time sign-in link may be used."""

ACCOUNT_FAILURES = 10
"""Failed sign-ins per minute of one account, wherever they come from."""

PASSWORD_CHARACTERS = (12, 1000)
"""Shortest and longest password."""

REFUSED = "The e-mail address or the password is not right."
LINK_REFUSED = "This link was used already, is too old or was never valid. Sign in another way."

EMAIL_CHARACTERS = 254
"""Longest e-mail address (RFC 5321)."""

_SECRET_BYTES = 32


@attrs.frozen
class Opened:
    """A session that was just opened; `cookie` is shown to the browser and to nobody else."""

    account: Account
    cookie: Secret


def hashed(password: Secret) -> str:
    """Return the argon2id hash of a new password; takes some 50 ms.

    Raises OperatorError BRG-PASSWORD-INVALID for one that is too short or too long.
    """
    least, most = PASSWORD_CHARACTERS
    if not least <= len(password.reveal()) <= most:
        raise OperatorError(
            "BRG-PASSWORD-INVALID",
            f"A password has {least} to {most} characters.",
            "Choose another one, a sentence for example.",
        )
    return _hasher().hash(password.reveal())


def offer_link(tx: Transaction, key: Secret, account: Account) -> Secret:
    """Return the text of a new one-time sign-in link's ticket."""
    ticket = Secret(secrets.token_urlsafe(_SECRET_BYTES))
    accounts.offer_link(tx, digest(key, ticket.reveal()), account, LINK_SECONDS)
    return ticket


class SignIn:
    """Signs people in and out, and knows who is behind a cookie."""

    def __init__(self, journal: Journal, key: Secret, failures: Failures) -> None:
        self._journal = journal
        self._key = key
        self._failures = failures
        self._of_account = Failures(ACCOUNT_FAILURES)

    def by_password(self, email: str, password: Secret, address: str, cause: Cause) -> Opened:
        """Open a session for who knows the password; blocks for some 50 ms.

        `address` is where the request came from. Raises Unauthorized, and TooManyRequests when
        too many failures came from the address or for the account.
        """
        named = name_key(email[:EMAIL_CHARACTERS])
        self._failures.check(address)
        self._of_account.check(named)
        account = self._journal.read_now(lambda reader: accounts.find(reader, email))
        known = account.password if account is not None else None
        right = _verified(known or _nobody(), password)
        if account is None or known is None or account.disabled is not None or not right:
            self._failures.count(address)
            self._of_account.count(named)
            raise Unauthorized(REFUSED)
        return self._open(account, cause, password if _hasher().check_needs_rehash(known) else None)

    def by_link(self, ticket: Secret, address: str, cause: Cause) -> Opened:
        """Open a session for who holds a one-time link. Raises Unauthorized, TooManyRequests."""
        self._failures.check(address)
        used = digest(self._key, ticket.reveal())
        account = self._journal.write_now(lambda tx: accounts.use_link(tx, used))
        if account is None:
            self._failures.count(address)
            raise Unauthorized(LINK_REFUSED)
        return self._open(account, cause, None)

    def who(self, cookie: str | None) -> SignedIn | None:
        """Return who is behind a cookie's text, or None: one read."""
        if not cookie:
            return None
        known = self._digest(cookie)
        return self._journal.read_now(lambda reader: accounts.signed_in(reader, known))

    def out(self, cookie: str) -> None:
        """End the session of a cookie."""
        self._journal.write_now(lambda tx: accounts.end_session(tx, self._digest(cookie)))

    def form_token(self, cookie: str) -> str:
        """Return what every form of this session must send along (CSRF)."""
        return digest(self._key, f"form {self._digest(cookie)}")

    def is_form_token(self, cookie: str, offered: str) -> bool:
        """Return whether a form that sent `offered` was one of this session's."""
        return hmac.compare_digest(self.form_token(cookie).encode(), offered.encode())

    def _open(self, account: Account, cause: Cause, rehash: Secret | None) -> Opened:
        cookie = Secret(secrets.token_urlsafe(_SECRET_BYTES))
        opened = self._digest(cookie.reveal())
        newer = _hasher().hash(rehash.reveal()) if rehash is not None else None
        own = attrs.evolve(cause, actor=f"account:{account.id}")

        def unit(tx: Transaction) -> None:
            if newer is not None:
                accounts.rehash(tx, account, newer)
            accounts.open_session(tx, opened, account, SESSION_SECONDS, own)

        self._journal.write_now(unit)
        return Opened(account, cookie)

    def _digest(self, cookie: str) -> str:
        return digest(self._key, f"session {cookie}")


def _verified(known: str, password: Secret) -> bool:
    try:
        return _hasher().verify(known, password.reveal())
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    # So that an unknown address takes as long as a wrong password.
    return _hasher().hash(secrets.token_urlsafe(_SECRET_BYTES))
