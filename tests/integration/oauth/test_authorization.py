"""OAuth 2.0 as an identity provider and an administrator's browser go through it."""

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.integration.oauth.peers import (
    CALLBACK,
    CHALLENGE,
    OTHER_CALLBACK,
    PASSWORD,
    VERIFIER,
    Browser,
    Fields,
    Okta,
    told,
)
from tests.integration.running import Bridge, quickstart


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge with an administrator of its one organization, and an operator."""
    directory: Path = tmp_path_factory.mktemp("oauth") / "quickstart"
    with quickstart(directory) as running:
        for email, role in (("ann@example.com", "admin"), ("olga@example.com", "operator")):
            running.command("account", "create", email, "--role", role, "--org", "quickstart")
            running.command("account", "password", email, stdin=f"{PASSWORD}\n")
        yield running


@pytest.fixture(scope="module")
def okta(bridge: Bridge) -> Okta:
    """A client; whoever approves it again ends what it had before."""
    return client(bridge, "Okta")


def client(bridge: Bridge, name: str) -> Okta:
    made: dict[str, Any] = bridge.json("client", "create", name, "--okta-app", "acme_1")
    return Okta(bridge, made["client_id"], made["client_secret"])


@pytest.fixture
def browser(bridge: Bridge) -> Iterator[Browser]:
    """A browser that nobody is signed in with yet."""
    browser = Browser(bridge)
    with browser.http:
        yield browser


def test_authorize_sign_in_approve_and_provision(okta: Okta, browser: Browser) -> None:
    first = browser.open(okta.authorize())
    assert first.status_code == 303
    sign_in = browser.open(first.headers["location"])
    onward = Fields(sign_in.text).found["next"]
    fields = {"email": "ann@example.com", "password": PASSWORD, "next": onward}
    back = browser.send("/console/sign-in", fields)
    consent = browser.open(back.headers["location"])
    for text in ("would like to", "Manage users and groups", "Approve", "Deny", "quickstart"):
        assert text in consent.text
    found = Fields(consent.text).found
    answer = told(browser.send("/oauth/authorize", {"decision": "approve", **found}))
    assert answer["state"] == "s-1 &=/?"
    assert answer["iss"] == okta.bridge.url
    issued = okta.redeem(answer["code"])
    assert issued.status_code == 200
    assert issued.headers["cache-control"] == "no-store"
    body = issued.json()
    assert body["token_type"] == "Bearer"
    assert okta.scim(body["access_token"]) == 200


def test_deny_is_access_denied_and_gives_no_token(okta: Okta, browser: Browser) -> None:
    answer = browser.decide(okta, "deny")
    assert (answer["error"], answer["state"]) == ("access_denied", "s-1 &=/?")
    assert "code" not in answer


def test_refresh_works_again_and_again_with_the_same_token(okta: Okta, browser: Browser) -> None:
    body = okta.redeem(browser.decide(okta)["code"]).json()
    for _ in range(3):
        again = okta.token(grant_type="refresh_token", refresh_token=body["refresh_token"])
        assert again.status_code == 200
        assert again.json()["refresh_token"] == body["refresh_token"]
        assert okta.scim(again.json()["access_token"]) == 200


def test_authenticating_again_ends_the_old_tokens(okta: Okta, browser: Browser) -> None:
    old = okta.redeem(browser.decide(okta)["code"]).json()
    new = okta.redeem(browser.decide(okta)["code"]).json()
    refused = okta.token(grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert okta.scim(new["access_token"]) == 200
    wait_until_refused(okta, old["access_token"])


def wait_until_refused(okta: Okta, token: str) -> None:
    deadline = time.monotonic() + 10
    while okta.scim(token) != 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_client_credentials_for_entra(okta: Okta) -> None:
    body = okta.token(grant_type="client_credentials", scope="anything").json()
    assert "refresh_token" not in body
    assert okta.scim(body["access_token"]) == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_both(okta: Okta, browser: Browser, kind: str) -> None:
    body = okta.redeem(browser.decide(okta)["code"]).json()
    own = {"client_id": okta.id, "client_secret": okta.secret}
    url = f"{okta.bridge.url}/oauth/revoke"
    assert httpx.post(url, data={**own, "token": body[kind]}, timeout=30).status_code == 200
    again = okta.token(grant_type="refresh_token", refresh_token=body["refresh_token"])
    assert again.json()["error"] == "invalid_grant"
    wait_until_refused(okta, body["access_token"])


def test_another_client_revokes_nothing(okta: Okta, browser: Browser) -> None:
    body = okta.redeem(browser.decide(okta)["code"]).json()
    other = client(okta.bridge, "other" + secrets.token_hex(4))
    fields = {"client_id": other.id, "client_secret": other.secret, "token": body["access_token"]}
    url = f"{okta.bridge.url}/oauth/revoke"
    assert httpx.post(url, data=fields, timeout=30).status_code == 200
    refreshed = okta.token(grant_type="refresh_token", refresh_token=body["refresh_token"])
    assert refreshed.status_code == 200


def test_pkce_is_held_to(okta: Okta, browser: Browser) -> None:
    asked = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    code = browser.decide(okta, **asked)["code"]
    assert okta.redeem(code, code_verifier=VERIFIER).status_code == 200
    for wrong in ({}, {"code_verifier": secrets.token_urlsafe(48)}):
        code = browser.decide(okta, **asked)["code"]
        assert okta.redeem(code, **wrong).json()["error"] == "invalid_grant"
    stray = browser.decide(okta)["code"]
    assert okta.redeem(stray, code_verifier=VERIFIER).json()["error"] == "invalid_grant"


def test_a_code_counts_once_and_its_second_use_ends_what_it_gave(
    okta: Okta, browser: Browser
) -> None:
    code = browser.decide(okta)["code"]
    body = okta.redeem(code).json()
    assert okta.redeem(code).json()["error"] == "invalid_grant"
    wait_until_refused(okta, body["access_token"])


def test_of_many_who_redeem_a_code_at_once_one_gets_tokens(okta: Okta, browser: Browser) -> None:
    code = browser.decide(okta)["code"]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: okta.redeem(code).status_code, range(20)))
    assert answers.count(200) == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_not_supported"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
        ({"state": "x" * 3000}, "invalid_request"),
        ({"scope": "x" * 3000}, "invalid_request"),
    ],
)
def test_a_malformed_request_is_told_to_the_client(
    okta: Okta, browser: Browser, changes: dict[str, str | None], error: str
) -> None:
    answer = browser.open(okta.authorize(**changes))
    assert answer.status_code == 303
    assert told(answer)["error"] == error


def test_a_doubled_parameter_is_told_to_the_client(okta: Okta, browser: Browser) -> None:
    answer = browser.open(okta.authorize() + "&state=other")
    assert told(answer)["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"client_id": ""},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": CALLBACK + "?x=1"},
        {"redirect_uri": CALLBACK.replace("https", "http")},
        {"redirect_uri": CALLBACK.replace("okta.com", "okta.com@evil.example")},
        {"redirect_uri": CALLBACK.upper()},
        {"redirect_uri": CALLBACK.replace("acme_1", "acme_2")},
        {"redirect_uri": "//evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
def test_nobody_is_redirected_to_an_address_that_is_not_registered(
    okta: Okta, browser: Browser, changes: dict[str, str | None]
) -> None:
    answer = browser.open(okta.authorize(**changes))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")


def test_a_doubled_redirect_uri_redirects_nowhere(okta: Okta, browser: Browser) -> None:
    evil = urlencode({"redirect_uri": "https://evil.example/"})
    assert browser.open(okta.authorize() + f"&{evil}").status_code == 400


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, 400, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "guess"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "guess"}, 400, "invalid_grant"),
        ({"grant_type": "client_credentials", "client_secret": "guess"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "nobody"}, 401, "invalid_client"),
    ],
)
def test_a_malformed_token_request_is_refused(
    okta: Okta, fields: dict[str, str], status: int, error: str
) -> None:
    answer = okta.token(**fields)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"


def test_a_code_is_bound_to_its_client_and_its_redirect_uri(okta: Okta, browser: Browser) -> None:
    other = client(okta.bridge, "other" + secrets.token_hex(4))
    code = browser.decide(okta)["code"]
    assert other.redeem(code).json()["error"] == "invalid_grant"
    assert okta.redeem(code).status_code == 200
    code = browser.decide(okta)["code"]
    assert okta.redeem(code, redirect_uri=OTHER_CALLBACK).json()["error"] == "invalid_grant"
    assert okta.redeem(code).json()["error"] == "invalid_grant"


def test_a_client_may_name_itself_by_basic_or_in_the_body_and_not_both(okta: Okta) -> None:
    fields = {"grant_type": "client_credentials"}
    url, basic = f"{okta.bridge.url}/oauth/token", (okta.id, okta.secret)
    assert httpx.post(url, data=fields, auth=basic, timeout=30).status_code == 200
    both = {**fields, "client_secret": okta.secret}
    assert httpx.post(url, data=both, auth=basic, timeout=30).json()["error"] == "invalid_request"
    wrong = httpx.post(url, data=fields, auth=(okta.id, "guess"), timeout=30)
    assert wrong.status_code == 401
    assert wrong.headers["www-authenticate"].startswith("Basic")


def test_a_doubled_field_and_a_json_body_are_refused(okta: Okta) -> None:
    url = f"{okta.bridge.url}/oauth/token"
    own = [("client_id", okta.id), ("client_secret", okta.secret)]
    doubled = urlencode([*own, ("grant_type", "client_credentials"), ("grant_type", "x")])
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = httpx.post(url, content=doubled, headers=form, timeout=30)
    assert answer.json()["error"] == "invalid_request"
    assert httpx.post(url, json=dict(own), timeout=30).json()["error"] == "invalid_request"


def test_only_an_admin_may_approve(okta: Okta, browser: Browser) -> None:
    browser.sign_in("olga@example.com")
    answer = browser.open(okta.authorize())
    assert answer.status_code == 403
    assert "administrator" in answer.text


def test_a_decision_counts_once_from_our_page_and_from_who_was_asked(
    okta: Okta, browser: Browser
) -> None:
    browser.sign_in()
    fields = Fields(browser.open(okta.authorize()).text).found
    approval = {"decision": "approve", **fields}
    cross = browser.send("/oauth/authorize", approval, "https://evil.example")
    assert cross.status_code == 403
    forged = {**fields, "token": "0" * 64}
    assert browser.send("/oauth/authorize", {"decision": "approve", **forged}).status_code == 403
    other = Browser(okta.bridge)
    with other.http:
        other.sign_in("olga@example.com")
        page = other.send("/oauth/authorize", approval)
    assert page.status_code == 403
    assert browser.send("/oauth/authorize", {"decision": "maybe", **fields}).status_code == 403
    assert browser.send("/oauth/authorize", {"decision": "approve", **fields}).status_code == 303
    assert browser.send("/oauth/authorize", {"decision": "approve", **fields}).status_code == 400


def test_a_revoked_client_is_refused_at_once(bridge: Bridge, browser: Browser) -> None:
    okta = client(bridge, "revoked")
    body = okta.redeem(browser.decide(okta)["code"]).json()
    okta.bridge.command("client", "revoke", okta.id)
    assert okta.token(grant_type="client_credentials").status_code == 401
    assert browser.open(okta.authorize()).status_code == 400
    wait_until_refused(okta, body["access_token"])


def test_the_metadata_names_every_endpoint(bridge: Bridge) -> None:
    found = httpx.get(f"{bridge.url}/.well-known/oauth-authorization-server", timeout=30).json()
    assert found["issuer"] == bridge.url
    for name in ("authorization", "token", "revocation"):
        address = found[f"{name}_endpoint"]
        assert httpx.request("DELETE", address, timeout=30).status_code == 405
