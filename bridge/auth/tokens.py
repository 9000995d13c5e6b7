"""Access tokens of connections: made once, kept only as a digest, recognised on every request.

A token reads `brg_<id>_<secret><checksum>`: the id finds the row, the secret is 256 bits from the
system's random source, the checksum lets a secret scanner (and us) drop typing errors early.

Rule: a refusal says the same for every cause; why is nobody's business but the audit's.
"""

import base64
import hmac
import secrets
import string
import time
import zlib
from collections.abc import Collection, Sequence
from ipaddress import ip_address, ip_network

import attrs

from bridge.auth.failures import Failures
from bridge.core.changes import Cause
from bridge.core.errors import Unauthorized
from bridge.core.secret import Secret
from bridge.journal import tenants
from bridge.journal.store import Journal, Reader, Transaction
from bridge.journal.tenants import ANYTHING, Connection, Scope, Token

PREFIX = "brg"
ID_LENGTH = 12
SECRET_LENGTH = 43
CHECKSUM_LENGTH = 6

FRESH_SECONDS = 0.5
"""How long a token that was found good is not looked up again, so how late a revocation or an
expiry may take hold in any process; a second is promised."""

FRESH_TOKENS = 1024
"""Tokens that a process remembers as good at a time."""

USE_NOTED_SECONDS = 60
"""How often at most the last use of a token is written down."""

REALM = 'realm="SCIM"'

REFUSED = (
    "The access token is missing, malformed, unknown, expired or revoked. "
    "Enter a valid token of this connection in the identity provider."
)

_ALPHABET = string.digits + string.ascii_letters
_NO_DIGEST = "0" * 64


@attrs.frozen
class Caller:
    """Who a valid token speaks for; `profile` names the dialect that its connection is set to.

    `scope` is what the token may be used for.
    """

    organization: str
    connection: str
    profile: str
    token: str
    scope: Scope = ANYTHING

    @property
    def actor(self) -> str:
        """How this caller is named in change records and audit rows."""
        return f"connection:{self.connection}"


@attrs.frozen
class Minted:
    """A new token. `text` is shown once; the journal keeps `id` and `digest`."""

    id: str
    text: Secret
    digest: str


def mint(key: Secret, prefix: str = PREFIX) -> Minted:
    """Return a new token, its digest made with the installation's `key`."""
    token_id = _random_text(ID_LENGTH)
    bare = f"{prefix}_{token_id}_{_random_text(SECRET_LENGTH)}"
    text = bare + _checksum(bare)
    return Minted(id=token_id, text=Secret(text), digest=digest(key, text))


def issue(
    tx: Transaction,
    key: Secret,
    connection: Connection,
    cause: Cause,
    *,
    expires: int | None = None,
    scope: Scope = ANYTHING,
) -> Minted:
    """Write a new token of a connection and return it with its text, this once."""
    minted = mint(key)
    tenants.create_token(
        tx, connection, minted.id, minted.digest, cause, expires=expires, scope=scope
    )
    return minted


def digest(key: Secret, text: str) -> str:
    """Return the HMAC-SHA256 of a token under the installation's key, in hexadecimal."""
    # Not `hmac.digest`: it lets other threads go first, which costs more than the digest itself.
    return hmac.new(key.reveal().encode(), text.encode(), "sha256").hexdigest()


def is_digest(kept: str | None, offered: str) -> bool:
    """Return whether a digest is the one that is kept; `kept` None: there is none.

    Compared in every case, so that an unknown id takes as long as a wrong secret.
    """
    return hmac.compare_digest(kept or _NO_DIGEST, offered)


def token_id(text: str, expected: str = PREFIX) -> str | None:
    """Return the public id of a well-formed token of this prefix, or None."""
    prefix, _, rest = text.partition("_")
    public, _, secret = rest.partition("_")
    well_formed = (
        prefix == expected
        and len(public) == ID_LENGTH
        and len(secret) == SECRET_LENGTH + CHECKSUM_LENGTH
        and text.isascii()
        and _checksum(text[:-CHECKSUM_LENGTH]) == text[-CHECKSUM_LENGTH:]
    )
    return public if well_formed else None


def from_header(header: str | None) -> str:
    """Return the token of an `Authorization` value: `Bearer <token>`, or the token alone.

    Okta's "Header" mode sends the token without a scheme. An empty string means there is none.
    """
    scheme, _, rest = (header or "").strip().partition(" ")
    if not rest:
        return scheme
    return rest.strip() if scheme.lower() == "bearer" else ""


def from_basic(header: str | None) -> str:
    """Return the password of a `Basic` value (RFC 7617), whatever the user; "" when it is none."""
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        pair = base64.b64decode(rest.strip(), validate=True).decode()
    except ValueError:
        return ""
    return pair.partition(":")[2]


class Authenticator:
    """Turns an `Authorization` header into the Caller, or raises Unauthorized.

    Connections of `basic_profiles` may send their token as the password of Basic authentication.
    """

    def __init__(
        self,
        journal: Journal,
        key: Secret,
        *,
        basic_profiles: Collection[str] = (),
        failures: Failures | None = None,
    ) -> None:
        self._journal = journal
        self._key = key
        self._basic_profiles = frozenset(basic_profiles)
        self._failures = failures or Failures(0)
        # By digest, so that nothing but the right token finds its entry.
        self._fresh: dict[str, tuple[float, Caller]] = {}

    def __call__(self, header: str | None, address: str = "") -> Caller:
        """Return who the header speaks for; `address` is where the request came from.

        Raises Unauthorized, with one text for every cause, and TooManyRequests when too much of
        that came from the address.
        """
        basic = from_basic(header) if self._basic_profiles else ""
        text = basic or from_header(header)
        offered = digest(self._key, text)
        if offered not in self._fresh:
            self._failures.check(address)
        caller = self._known(text, offered)
        refused = caller is None or not _comes_from(caller.scope.networks, address)
        if caller is None or refused or (basic and caller.profile not in self._basic_profiles):
            self._failures.count(address)
            raise Unauthorized(REFUSED, self._challenges(header))
        return caller

    def _known(self, text: str, offered: str) -> Caller | None:
        public, now = token_id(text), time.monotonic()
        if public is None:
            return None
        since, caller = self._fresh.get(offered, (-FRESH_SECONDS, None))
        if caller is None or now - since >= FRESH_SECONDS:
            self._fresh.pop(offered, None)
            caller = self._looked_up(public, offered)
            if caller is not None:
                if len(self._fresh) >= FRESH_TOKENS:
                    self._fresh.clear()
                self._fresh[offered] = now, caller
        return caller

    def _challenges(self, header: str | None) -> tuple[str, ...]:
        # RFC 6750 section 3.1: the error is told only to those who sent something.
        bearer = f"Bearer {REALM}" + (', error="invalid_token"' if header else "")
        basic = (f'Basic {REALM}, charset="UTF-8"',) if self._basic_profiles else ()
        return (bearer, *basic)

    def _looked_up(self, public: str, offered: str) -> Caller | None:
        def query(reader: Reader) -> tuple[Token | None, int]:
            kept = tenants.find_digest(reader, public)
            matches = is_digest(kept, offered)
            return tenants.find_token(reader, public) if matches else None, reader.now

        token, now = self._journal.read_now(query)
        if token is None or not _usable(token, now):
            return None
        if token.last_used is None or now - token.last_used >= USE_NOTED_SECONDS * 1_000_000:
            self._note_use(token.id)
        return Caller(token.organization, token.connection, token.profile, token.id, token.scope)

    def _note_use(self, token: str) -> None:
        self._journal.write_soon(lambda tx: tenants.note_use(tx, token))


def _comes_from(networks: Sequence[str] | None, address: str) -> bool:
    if networks is None:
        return True
    try:
        client = ip_address(address)
    except ValueError:  # no address is known, so it is none of theirs
        return False
    mapped = getattr(client, "ipv4_mapped", None)
    return any((mapped or client) in ip_network(network) for network in networks)


def _usable(token: Token, now: int) -> bool:
    return token.revoked is None and (token.expires is None or now < token.expires)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
