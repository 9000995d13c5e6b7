"""The two ways in which companies connect Okta, each from its first page to its last.

One by a bearer token: make a token, push a group, manage its access, share a folder. The other by
OAuth 2.0: authenticate, approve or deny, authenticate again.
"""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.browser.conftest import Person
from tests.integration.running import Bridge

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


class Okta:
    """What Okta sends with a token."""

    def __init__(self, bridge: Bridge, token: str) -> None:
        self.url = bridge.scim_url
        self.headers = {"authorization": f"Bearer {token}"}

    def sends(self, method: str, path: str, body: object = None) -> httpx.Response:
        return httpx.request(
            method, f"{self.url}{path}", json=body, headers=self.headers, timeout=30
        )

    def assigns(self, name: str) -> str:
        made = self.sends("POST", "/Users", {"schemas": [USER], "userName": name, "active": True})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def pushes(self, group: str, *members: str) -> str:
        body = {
            "schemas": [GROUP],
            "displayName": group,
            "members": [{"value": one} for one in members],
        }
        made = self.sends("POST", "/Groups", body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


def test_by_token_from_the_first_page_to_the_shared_folder(bridge: Bridge, admin: Person) -> None:
    admin.sees("quickstart", "No group has been pushed yet")
    admin.looks("organization-empty")
    admin.link("Connections")
    admin.button("Create token")
    admin.sees("This token is shown once", "SCIM connector base URL")
    admin.looks("connections-token")
    token = admin.page.locator(".once code").inner_text()
    admin.link("^Connections$")
    assert token not in admin.page.content()

    okta = Okta(bridge, token)
    ann, bob = okta.assigns("ann@example.com"), okta.assigns("bob@example.com")
    okta.pushes("Sales team", ann, bob)

    admin.link("^Access$")
    admin.sees("Sales team")
    admin.page.get_by_label("New workspace").fill("Sales")
    admin.button("^Create$")
    admin.sees("Who has access", "Nobody.")
    admin.link("^Access$")
    admin.link("Manage")
    admin.page.get_by_label("Access to Sales").select_option(label="Check")
    admin.looks("manage")
    admin.button("^Save$")
    admin.sees("Sales: check")
    admin.looks("organization")

    admin.link("^Sales$")
    until_seen(admin, "pending")
    admin.looks("workspace")
    admin.page.get_by_label("New folder").fill("Contracts")
    admin.button("^Create$")
    admin.sees("This folder is open to whoever has access to Sales")
    admin.page.get_by_label("Invite only").first.check()
    admin.button("^Save$")
    admin.sees("Nobody was granted access yet")
    admin.page.get_by_label("may").first.select_option(label="Edit")
    admin.button("Add group")
    until_seen(admin, "edit")
    admin.looks("folder")

    admin.link("^Deliveries$")
    admin.sees("0 parked")
    admin.looks("deliveries")
    admin.opens(f"{admin.page.url}/{ann}")
    admin.sees("How it stands")
    admin.looks("story")
    admin.link("^Audit$")
    admin.sees("grant.give")
    admin.looks("audit")


def until_seen(person: Person, text: str) -> None:
    """Open the page again until it shows `text` as somebody's access or state."""
    for _ in range(60):
        if person.page.locator("td", has_text=text).count():
            return
        person.page.wait_for_timeout(500)
        person.page.reload()
    pytest.fail(f"the page does not show {text}")


class Callback(BaseHTTPRequestHandler):
    """The identity provider's own page, to which the answer is sent."""

    def do_GET(self) -> None:
        told = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if self.path.startswith("/oauth/callback"):
            self.server.answers.append(told)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Okta</title><p>Back at the identity provider</p>")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, str]]]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Callback) as server:
        server.daemon_threads = True
        answers: list[dict[str, str]] = []
        server.answers = answers  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/oauth/callback", answers
        finally:
            server.shutdown()
            thread.join()


def test_by_oauth_approve_deny_and_authenticate_again(bridge: Bridge, person: Person) -> None:
    bridge.json("account", "create", "olivia@example.com", "--org", "quickstart")
    bridge.command("account", "password", "olivia@example.com", stdin="a long password\n")
    with listening() as (callback, answers):
        made = bridge.json("client", "create", "Okta", "--redirect-uri", callback)

        def authenticate(decision: str) -> dict[str, str]:
            asked = {
                "response_type": "code",
                "client_id": made["client_id"],
                "redirect_uri": callback,
                "state": "where was I?",
            }
            person.opens(f"/oauth/authorize?{urlencode(asked)}")
            if person.page.get_by_label("Password").count():
                person.looks("sign-in")
                person.page.get_by_label("E-mail address").fill("olivia@example.com")
                person.page.get_by_label("Password").fill("a long password")
                person.button("Sign in")
            person.sees("Permissions requested", "Manage users and groups")
            person.looks("consent")
            person.button(decision)
            person.sees("Back at the identity provider")
            return answers.pop()

        def redeem(code: str) -> str:
            fields = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": callback,
                "client_id": made["client_id"],
                "client_secret": made["client_secret"],
            }
            answer = httpx.post(f"{bridge.url}/oauth/token", data=fields, timeout=30)
            assert answer.status_code == 200, answer.text
            return str(answer.json()["access_token"])

        denied = authenticate("Deny")
        assert (denied["error"], denied["state"]) == ("access_denied", "where was I?")
        okta = Okta(bridge, redeem(authenticate("Approve")["code"]))
        olga = okta.assigns("olga@example.com")
        again = Okta(bridge, redeem(authenticate("Approve")["code"]))
        for active in (False, True):
            body = {"schemas": [USER], "userName": "olga@example.com", "active": active}
            put = again.sends("PUT", f"/Users/{olga}", body)
            assert (put.status_code, put.json()["active"]) == (200, active)


def test_no_page_can_be_framed(bridge: Bridge, person: Person) -> None:
    person.opens("/livez")
    person.page.set_content(f'<iframe src="{bridge.url}/console/sign-in"></iframe>')
    person.page.wait_for_timeout(1000)
    assert [frame.content() for frame in person.page.frames if "Password" in frame.content()] == []


def test_a_narrow_screen_needs_no_sideways_scrolling(bridge: Bridge, admin: Person) -> None:
    admin.page.set_viewport_size({"width": 360, "height": 700})
    for path in ("/console", "/console/sign-in"):
        admin.opens(path)
        wide = admin.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, path
    admin.looks("phone")
