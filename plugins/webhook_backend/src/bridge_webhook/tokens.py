"""Security event tokens: a SCIM event as a signed JWT (RFC 8417, RFC 9967).

    create   urn:ietf:params:scim:event:prov:create:full   data: the resource
    update   urn:ietf:params:scim:event:prov:patch:full    data: a PATCH that makes the difference
    delete   urn:ietf:params:scim:event:prov:delete
    `active` urn:ietf:params:scim:event:prov:activate or :deactivate, beside the update

What is only counted, because a list of members would be too large, is a `notice`: the names of the
attributes that differ, to be read where the resource is. Workspaces and folders are no SCIM
resources and have no tokens.

Rule: signatures are deterministic (EdDSA, RS256, ES256 by RFC 6979): the same event is always the
same token.
"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bridge.plugin import FOLDER, WORKSPACE, ChangeRecord, Event, Operation, Secret

EVENT = "urn:ietf:params:scim:event:prov"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

_P256_BYTES = 32

PrivateKey = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@attrs.frozen
class TokenSettings:
    """The `token` table of the settings: who signs, for whom, with which key."""

    issuer: str = attrs.field(metadata={"meaning": "`iss`: the address that names this bridge."})
    key: Secret = attrs.field(
        metadata={"meaning": "Private key in PEM: Ed25519, EC P-256, or RSA of 2,048 bits or more."}
    )
    audience: tuple[str, ...] = attrs.field(
        default=(), metadata={"meaning": "`aud`: the addresses that name the receiver."}
    )

    @key.validator
    def _usable(self, field: Any, value: Secret) -> None:
        try:
            _loaded(value)
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from None


def takes(change: ChangeRecord) -> bool:
    """Return whether there is a token for a change."""
    return change.entity.type not in (WORKSPACE, FOLDER)


def token(
    event: Event, change: ChangeRecord, settings: TokenSettings
) -> tuple[dict[str, Any], str]:
    """Return the claims of an event and the signed token of them."""
    claims: dict[str, Any] = {
        "iss": settings.issuer,
        "iat": int(datetime.fromisoformat(event.timestamp).timestamp()),
        "jti": event.id,
        "txn": change.cause.request_id,
        "sub_id": _subject(change),
        "events": _events(event, change),
    }
    if settings.audience:
        claims["aud"] = list(settings.audience)
    key = _loaded(settings.key)
    header = {"alg": _public(key)["alg"], "typ": "secevent+jwt", "kid": _public(key)["kid"]}
    content = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    return claims, f"{content}.{_encoded(_signature(key, content.encode()))}"


def key_set(settings: TokenSettings) -> str:
    """Return the JWK set (RFC 7517) that receivers verify tokens with."""
    return json.dumps({"keys": [_public(_loaded(settings.key))]}, separators=(",", ":"))


def _subject(change: ChangeRecord) -> dict[str, str]:
    entity = change.entity
    subject = {"format": "scim", "uri": f"/{entity.type}s/{entity.id}"}
    document = change.after if change.after is not None else change.before
    if document and "externalId" in document:
        subject["externalId"] = document["externalId"]
    return subject


def _events(event: Event, change: ChangeRecord) -> dict[str, Any]:
    names = [*change.changed, *(["members"] if change.members else [])]
    whole = bool(event.lists) or not change.members
    match change.operation:
        case Operation.DELETE:
            return {f"{EVENT}:delete": {}}
        case Operation.CREATE if whole:
            return {f"{EVENT}:create:full": {"data": _resource(event)}}
        case Operation.CREATE:
            return {f"{EVENT}:create:notice": {"attributes": sorted(names)}}
    told: dict[str, Any] = {}
    if whole:
        told[f"{EVENT}:patch:full"] = {"data": _patch(change)}
    else:
        told[f"{EVENT}:patch:notice"] = {"attributes": sorted(names)}
    if "active" in change.changed:
        verb = "activate" if (change.after or {}).get("active") else "deactivate"
        told[f"{EVENT}:{verb}"] = {}
    return told


def _resource(event: Event) -> dict[str, Any]:
    members = event.data.get("members", {}).get("added", [])
    listed = [{"value": member["id"], "type": member["type"]} for member in members]
    document = dict(event.data["attributes"])
    return {"id": event.data["id"], **document, **({"members": listed} if listed else {})}


def _patch(change: ChangeRecord) -> dict[str, Any]:
    after: Mapping[str, Any] = change.after or {}
    operations: list[dict[str, Any]] = [
        {"op": "replace", "path": name, "value": after[name]}
        if name in after
        else {"op": "remove", "path": name}
        for name in sorted(change.changed)
    ]
    if change.members.added:
        added = [{"value": one.id, "type": one.type} for one in change.members.added]
        operations.append({"op": "add", "path": "members", "value": added})
    operations += [
        {"op": "remove", "path": f'members[value eq "{one.id}"]'} for one in change.members.removed
    ]
    return {"schemas": [PATCH], "Operations": operations}


def _loaded(secret: Secret) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(secret.reveal().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("is no private key in PEM without a passphrase") from None
    match key:
        case ed25519.Ed25519PrivateKey():
            return key
        case rsa.RSAPrivateKey() if key.key_size >= 2048:
            return key
        case ec.EllipticCurvePrivateKey() if isinstance(key.curve, ec.SECP256R1):
            return key
    raise ValueError("must be Ed25519, EC P-256, or RSA of 2,048 bits or more")


def _public(key: PrivateKey) -> dict[str, str]:
    """Return the public key as a JWK; its `kid` is the thumbprint of RFC 7638."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes_raw()
        alg, members = "EdDSA", {"crv": "Ed25519", "kty": "OKP", "x": _encoded(raw)}
    elif isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        alg, members = "RS256", {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
    else:
        point = key.public_key().public_numbers()
        x, y = (_encoded(part.to_bytes(_P256_BYTES, "big")) for part in (point.x, point.y))
        alg, members = "ES256", {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    return {**members, "kid": _encoded(sha256(canonical).digest()), "alg": alg, "use": "sig"}


def _signature(key: PrivateKey, content: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(content)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    r, s = decode_dss_signature(key.sign(content, algorithm))
    return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
