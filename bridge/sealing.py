"""Sealing: what must be sent on later, and may not lie anywhere readable until then.

The seal's key is derived from the install key for one use (HKDF, RFC 5869), so that it opens
nothing else that the install key protects. A seal is a Fernet token: AES-128-CBC under HMAC-SHA256.

Rule: a `Sealed` is the only form in which the journal takes a secret; only a `Sealer` opens it.
"""

import base64

import attrs
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bridge.core.secret import Secret

PASSWORDS = b"directory-bridge: passwords under way, 1"
CURSORS = b"directory-bridge: cursors of pages, 1"
"""What seals are for; one of them opens nothing that was sealed for another."""


@attrs.frozen(repr=False)
class Sealed(Secret):
    """A sealed secret; `reveal()` is the seal, which says nothing without the install key."""


class CannotOpen(ValueError):
    """A seal was made under another install key, or is damaged."""


class Sealer:
    """Seals and opens under one install key, for one use; for any thread."""

    def __init__(self, install_key: Secret, use: bytes = PASSWORDS) -> None:
        self._install_key = install_key
        derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=use)
        key = derive.derive(install_key.reveal().encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def for_use(self, use: bytes) -> "Sealer":
        """Return the sealer of another use under the same install key."""
        return Sealer(self._install_key, use)

    def seal(self, secret: Secret) -> Sealed:
        """Return the sealed form; it differs each time."""
        return Sealed(self._fernet.encrypt(secret.reveal().encode()).decode())

    def open(self, sealed: Sealed) -> Secret:
        """Return what was sealed. Raises CannotOpen."""
        try:
            return Secret(self._fernet.decrypt(sealed.reveal().encode()).decode())
        except InvalidToken:
            raise CannotOpen from None
