"""The two ends of an authorization: an identity provider, and an administrator's browser.

Rule: both follow nothing by themselves; a test sees every answer.
"""

import base64
import secrets
from hashlib import sha256
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit

import attrs
import httpx

from tests.integration.running import Bridge

PASSWORD = "a long password"
CALLBACK = "https://system-admin.okta.com/admin/app/cpc/acme_1/oauth/callback"
OTHER_CALLBACK = "https://system-admin.okta-emea.com/admin/app/cpc/acme_1/oauth/callback"
VERIFIER = secrets.token_urlsafe(48)
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@attrs.frozen
class Okta:
    """An identity provider that was made a client."""

    bridge: Bridge
    id: str
    secret: str

    def authorize(self, **changes: str | None) -> str:
        """The address of an ordinary request, some of it changed."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": CALLBACK,
            "state": "s-1 &=/?",
            "scope": "scim offline_access",
            **changes,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        return f"{self.bridge.url}/oauth/authorize?{urlencode(given)}"

    def token(self, **fields: str) -> httpx.Response:
        """What the token endpoint answers."""
        own = {"client_id": self.id, "client_secret": self.secret}
        return httpx.post(f"{self.bridge.url}/oauth/token", data={**own, **fields}, timeout=30)

    def redeem(self, code: str, **fields: str) -> httpx.Response:
        """What a code is answered."""
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return self.token(**{**asked, **fields})

    def scim(self, token: str) -> int:
        """The status that a SCIM request with this access token gets."""
        headers = {"authorization": f"Bearer {token}"}
        return httpx.get(f"{self.bridge.scim_url}/Users", headers=headers, timeout=30).status_code


class Fields(HTMLParser):
    """The fields of the forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "input" and given.get("name"):
            self.found[str(given["name"])] = given.get("value") or ""


class Browser:
    """An administrator's browser: keeps cookies, follows nothing by itself."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.http = httpx.Client(timeout=30)

    def open(self, url: str) -> httpx.Response:
        return self.http.get(url if url.startswith("http") else self.bridge.url + url)

    def send(self, path: str, fields: dict[str, str], origin: str = "") -> httpx.Response:
        """Send a form, by default from a page of the bridge."""
        headers = {"origin": origin or self.bridge.url}
        return self.http.post(self.bridge.url + path, data=fields, headers=headers)

    def sign_in(self, email: str = "ann@example.com") -> None:
        fields = {"email": email, "password": PASSWORD}
        assert self.send("/console/sign-in", fields).status_code == 303

    def decide(
        self, okta: Okta, decision: str = "approve", **changes: str | None
    ) -> dict[str, str]:
        """Sign in, decide, and return what the identity provider is told."""
        self.sign_in()
        page = self.open(okta.authorize(**changes))
        assert page.status_code == 200, page.text
        answer = self.send("/oauth/authorize", {"decision": decision, **Fields(page.text).found})
        assert answer.status_code == 303
        return told(answer)


def told(answer: httpx.Response) -> dict[str, str]:
    place = urlsplit(answer.headers["location"])
    assert f"{place.scheme}://{place.netloc}{place.path}" == CALLBACK
    return {name: values[0] for name, values in parse_qs(place.query).items()}
