"""Signatures of Standard Webhooks 1.0: HMAC-SHA256 (`v1`) and ed25519 (`v1a`).

Rule: what is signed is `id.timestamp.body`, the exact bytes that are sent.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.plugin import Secret

SHARED, PRIVATE = "whsec_", "whsk_"
"""Prefixes of a shared secret and of an ed25519 private key; what follows is base64."""

SHARED_BYTES = range(24, 65)
"""Length of a shared secret, in bytes (Standard Webhooks 1.0, "Symmetric")."""

ED25519_SEED_BYTES = 32

Signer = Callable[[bytes], str]


def signer(secret: Secret) -> Signer:
    """Return a function from content to one signature. Raises ValueError on a malformed secret."""
    text = secret.reveal()
    if text.startswith(SHARED):
        key = _decoded(text.removeprefix(SHARED))
        if len(key) not in SHARED_BYTES:
            raise ValueError(f"a {SHARED} secret has 24 to 64 bytes")
        return lambda content: f"v1,{_encoded(hmac.digest(key, content, hashlib.sha256))}"
    if text.startswith(PRIVATE):
        seed = _decoded(text.removeprefix(PRIVATE))[:ED25519_SEED_BYTES]
        if len(seed) != ED25519_SEED_BYTES:
            raise ValueError(f"a {PRIVATE} key has 32 bytes (or 64 with its public half)")
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return lambda content: f"v1a,{_encoded(private.sign(content))}"
    raise ValueError(f"a secret begins with {SHARED} (shared) or {PRIVATE} (ed25519)")


def headers(
    signers: Iterable[Signer], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the three headers of one attempt; `timestamp` is in seconds since 1970."""
    content = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(content) for sign in signers),
    }


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("a secret is base64 after its prefix") from None


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
