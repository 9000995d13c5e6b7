"""Signatures verify with the independent implementation of Standard Webhooks, and with the key."""

import base64
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bridge.plugin import Secret
from bridge_webhook import signing
from bridge_webhook.settings import Settings

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = '{"type":"user.created","data":{"name":"Åsa"}}'.encode()


def signed(settings: Settings) -> dict[str, str]:
    return signing.headers(settings.signers, "msg_1", int(time.time()), BODY)


def test_example_of_the_specification() -> None:
    signers = [signing.signer(Secret(OLD))]
    headers = signing.headers(
        signers, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_during_rotation_both_keys_verify() -> None:
    rotating = Settings(url="https://a.example/", secret=Secret(NEW), old_secrets=(Secret(OLD),))
    headers = signed(rotating)
    assert headers["webhook-signature"].count("v1,") == 2
    for key in (OLD, NEW):
        Webhook(key).verify(BODY, headers)


def test_after_rotation_the_old_key_does_not() -> None:
    headers = signed(Settings(url="https://a.example/", secret=Secret(NEW)))
    Webhook(NEW).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY, headers)


@pytest.mark.parametrize("with_public_half", [False, True])
def test_ed25519_verifies_with_the_public_key(with_public_half: bool) -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    raw = private.private_bytes_raw() + (public.public_bytes_raw() if with_public_half else b"")
    secret = Secret("whsk_" + base64.b64encode(raw).decode())
    headers = signed(Settings(url="https://a.example/", secret=secret))
    version, _, signature = headers["webhook-signature"].partition(",")
    content = f"msg_1.{headers['webhook-timestamp']}.".encode() + BODY
    assert version == "v1a"
    public.verify(base64.b64decode(signature), content)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), content + b" ")
