"""Security event tokens verify with the published key, and say what changed in SCIM's words."""

import base64
import contextlib
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import attrs
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from standardwebhooks.webhooks import Webhook

from bridge.plugin import ChangeRecord, Level, Secret
from bridge.testing import World
from bridge_webhook import mapping, planning, tokens
from bridge_webhook.plugin import WebhookBackend
from bridge_webhook.settings import Settings
from bridge_webhook.tokens import EVENT, TokenSettings
from plugins.webhook_backend.tests.receiver import SECRET

KEYS = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65_537, 2048),
}


def pem(key: Any) -> Secret:
    form = serialization.PrivateFormat.PKCS8
    raw = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return Secret(raw.decode())


def settings(key: str = "EdDSA", **others: Any) -> Settings:
    return Settings(
        url="https://hooks.example.com/events",
        secret=Secret(SECRET),
        token=TokenSettings("https://bridge.example.com", pem(KEYS[key]), ("https://crm.example",)),
        **others,
    )


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified(token: str, published: str) -> dict[str, Any]:
    """The claims of a token, verified as a receiver does: by the key set and nothing else."""
    head, claims, signature = token.split(".")
    header = json.loads(decoded(head))
    assert header["typ"] == "secevent+jwt"
    (key,) = [one for one in json.loads(published)["keys"] if one["kid"] == header["kid"]]
    assert key["alg"] == header["alg"]
    content, raw = f"{head}.{claims}".encode(), decoded(signature)
    match key["kty"]:
        case "OKP":
            ed25519.Ed25519PublicKey.from_public_bytes(decoded(key["x"])).verify(raw, content)
        case "RSA":
            numbers = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"]))
            numbers.public_key().verify(raw, content, padding.PKCS1v15(), hashes.SHA256())
        case "EC":
            point = ec.EllipticCurvePublicNumbers(
                number(key["x"]), number(key["y"]), ec.SECP256R1()
            )
            der = encode_dss_signature(
                int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
            )
            point.public_key().verify(der, content, ec.ECDSA(hashes.SHA256()))
    found: dict[str, Any] = json.loads(decoded(claims))
    return found


def number(text: str) -> int:
    return int.from_bytes(decoded(text), "big")


def claims(change: ChangeRecord, **others: Any) -> dict[str, Any]:
    own = settings(**others)
    (message,) = mapping.messages(change, own)
    assert message.content_type == "application/secevent+jwt"
    assert own.token is not None
    return verified(message.body, tokens.key_set(own.token))


def events(change: ChangeRecord, **others: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = claims(change, **others)["events"]
    return found


class Opaque:
    """Verifies the signature of a request whose body is no JSON."""

    def verify(self, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        try:
            Webhook(SECRET).verify(body, headers)
        except json.JSONDecodeError:  # after the signature was found to be right
            return {"token": body.decode()}
        raise AssertionError("a token is no JSON")


@pytest.mark.parametrize("key", KEYS)
def test_token_verifies_with_the_published_key_and_is_always_the_same(key: str) -> None:
    change = World().user("ann")
    (first,), (again,) = (mapping.messages(change, settings(key)) for _ in range(2))
    assert first.body == again.body
    own = settings(key).token
    assert own is not None
    told = verified(first.body, tokens.key_set(own))
    assert told["iss"] == "https://bridge.example.com"
    assert told["aud"] == ["https://crm.example"]
    assert told["jti"] == first.id
    assert told["txn"] == change.cause.request_id
    assert told["iat"] == int(change.cause.at.timestamp())
    tampered = first.body.replace(first.body[:20], first.body[:19] + "A")
    with pytest.raises((InvalidSignature, ValueError, AssertionError, KeyError)):
        verified(tampered[:-8] + "AAAAAAAA", tokens.key_set(own))


def test_subject_is_named_at_the_top_and_only_there() -> None:
    world = World()
    told = claims(world.user("ann"))
    assert told["sub_id"] == {
        "format": "scim",
        "uri": f"/Users/{world.id('ann')}",
        "externalId": "x-ann",
    }
    assert "sub" not in told


def test_creation_has_the_resource() -> None:
    world = World()
    (kind, told), *more = events(world.user("ann")).items()
    assert (kind, more) == (f"{EVENT}:create:full", [])
    assert told["data"]["userName"] == "ann@example.com"
    assert told["data"]["id"] == world.id("ann")


def test_update_is_a_patch_that_makes_the_difference() -> None:
    world = World()
    world.user("ann", title="Lead")
    told = events(world.update("ann", title=None, active=False))
    assert told[f"{EVENT}:patch:full"]["data"]["Operations"] == [
        {"op": "replace", "path": "active", "value": False},
        {"op": "remove", "path": "title"},
    ]
    assert told[f"{EVENT}:deactivate"] == {}
    assert f"{EVENT}:activate" in events(world.update("ann", active=True))


def test_members_are_patched_one_by_one() -> None:
    world = World()
    world.group("sales", "ann")
    told = events(world.members("sales", add=["bob"], remove=["ann"]))
    assert told[f"{EVENT}:patch:full"]["data"]["Operations"] == [
        {"op": "add", "path": "members", "value": [{"value": world.id("bob"), "type": "User"}]},
        {"op": "remove", "path": f'members[value eq "{world.id("ann")}"]'},
    ]


def test_what_would_be_too_large_is_a_notice() -> None:
    many = [f"user-{n}" for n in range(500)]
    world = World()
    assert events(world.group("all", *many)) == {
        f"{EVENT}:create:notice": {"attributes": ["displayName", "members"]}
    }
    told = events(world.members("all", remove=many))
    assert told == {f"{EVENT}:patch:notice": {"attributes": ["members"]}}


def test_deletion_says_no_more_than_that() -> None:
    world = World()
    world.user("ann")
    (change,) = world.delete("ann")
    assert events(change) == {f"{EVENT}:delete": {}}


def test_workspaces_and_their_access_have_no_tokens() -> None:
    world = World()
    for change in (world.workspace("crm"), world.access("crm", {"ann": Level.VIEW})):
        assert mapping.messages(change, settings()) == ()


def test_token_is_sent_and_read_by_a_person(receiver: Any) -> None:
    own = attrs.evolve(settings(), url=receiver.url, allow_networks=("127.0.0.0/8",))
    receiver.verifier = Opaque()
    plan = planning.plan(own, [World().user("ann")])
    assert '"urn:ietf:params:scim:event:prov:create:full": {' in str(plan)
    assert "PRIVATE KEY" not in f"{plan}{plan!r}{own}"
    with contextlib.closing(WebhookBackend(own)) as backend:
        connected, keys = backend.check()
        backend.execute(plan)
    assert connected.ok
    (received,) = receiver.received
    assert received.headers["content-type"] == "application/secevent+jwt"
    published = keys.message.partition(" with ")[2]
    assert verified(received.event["token"], published)["jti"] == received.id


def test_key_id_is_the_thumbprint() -> None:
    own = settings("EdDSA").token
    assert own is not None
    (key,) = json.loads(tokens.key_set(own))["keys"]
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{key["x"]}"}}'
    assert decoded(key["kid"]) == sha256(canonical.encode()).digest()


@pytest.mark.parametrize(
    "key",
    [
        Secret("no key"),
        pem(rsa.generate_private_key(65_537, 1024)),  # noqa: S505
        pem(ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=["none", "short", "curve"],
)
def test_key_that_cannot_sign_is_refused_without_being_shown(key: Secret) -> None:
    with pytest.raises(ValueError, match="key: ") as refusal:
        TokenSettings("https://bridge.example.com", key)
    assert key.reveal() not in str(refusal.value)
