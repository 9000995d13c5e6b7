"""What the pages refuse: strangers, other organizations, other sites, roles that may only look."""

import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.oauth.peers import PASSWORD, Browser, Fields
from tests.integration.running import Bridge, quickstart


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """Two organizations; Ann administers the one, Rita may look at it, Zoe has the other."""
    with quickstart(tmp_path_factory.mktemp("console") / "quickstart") as running:
        running.json("org", "create", "elsewhere")
        for email, role, place in (
            ("ann@example.com", "admin", "quickstart"),
            ("rita@example.com", "read_only", "quickstart"),
            ("zoe@example.com", "admin", "elsewhere"),
        ):
            running.json("account", "create", email, "--role", role, "--org", place)
            running.command("account", "password", email, stdin=f"{PASSWORD}\n")
        yield running


@pytest.fixture
def browser(bridge: Bridge) -> Iterator[Browser]:
    """A browser that nobody is signed in with yet."""
    browser = Browser(bridge)
    with browser.http:
        yield browser


def home_of(browser: Browser, email: str) -> str:
    """Sign in, and return the path of the person's organization."""
    browser.sign_in(email)
    return browser.open("/console").headers["location"]


def test_a_stranger_signs_in_first_and_goes_on_to_the_page(browser: Browser) -> None:
    path = home_of(browser, "ann@example.com") + "/connections"
    browser.http.cookies.clear()
    answer = browser.open(path)
    assert answer.status_code == 303
    assert Fields(browser.open(answer.headers["location"]).text).found["next"] == path


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/console/../../evil",
        "/consoleevil.example",
        "javascript:alert(1)",
        "/oauth/authorize",
        "/console\r\nset-cookie: a=b",
    ],
)
def test_signing_in_leads_nowhere_else(browser: Browser, target: str) -> None:
    fields = {"email": "ann@example.com", "password": PASSWORD, "next": target}
    onward = browser.send("/console/sign-in", fields).headers["location"]
    assert onward.startswith("/console")
    assert "evil" not in onward


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "ann@example.com", "password": "wrong password"},
        {"email": "nobody@example.com", "password": PASSWORD},
        {"email": "admin@localhost", "password": ""},
        {"email": "", "password": ""},
    ],
)
def test_a_refused_sign_in_says_the_same_for_every_cause(
    browser: Browser, fields: dict[str, str]
) -> None:
    answer = browser.send("/console/sign-in", fields)
    assert answer.status_code == 401
    assert "The e-mail address or the password is not right." in answer.text
    assert "set-cookie" not in answer.headers


def test_a_session_begins_with_a_cookie_of_its_own_and_ends_with_signing_out(
    browser: Browser,
) -> None:
    browser.http.cookies.set("bridge", "chosen-by-somebody-else", domain="127.0.0.1")
    path = home_of(browser, "ann@example.com")
    kept = [one.value for one in browser.http.cookies.jar if one.name == "bridge"]
    assert "chosen-by-somebody-else" not in kept[-1:]
    token = Fields(browser.open(path).text).found["token"]
    assert browser.send("/console/sign-out", {"token": "forged"}).status_code == 403
    assert browser.send("/console/sign-out", {"token": token}).status_code == 303
    again = httpx.get(browser.bridge.url + path, cookies={"bridge": kept[-1] or ""}, timeout=30)
    assert again.status_code == 303


def test_nothing_of_another_organization_is_there(browser: Browser) -> None:
    own = home_of(browser, "zoe@example.com")
    token = Fields(browser.open(own).text).found["token"]
    browser.http.cookies.clear()
    other = home_of(browser, "ann@example.com")
    made = browser.send(
        f"{other}/workspaces",
        {
            "name": f"Ours {secrets.token_hex(3)}",
            "token": Fields(browser.open(other).text).found["token"],
        },
    ).headers["location"]
    target = made.rpartition("/")[2]
    browser.http.cookies.clear()
    browser.sign_in("zoe@example.com")
    token = Fields(browser.open(own).text).found["token"]
    unknown = browser.open(f"{own}/workspaces/{'0' * 36}")
    assert unknown.status_code == 404
    for path in (other, f"{other}/connections", made):
        assert browser.open(path).status_code == 404
    assert browser.open(f"{own}/workspaces/{target}").status_code == 404
    for path in (
        f"{other}/workspaces",
        f"{own}/targets/{target}",
        f"{own}/targets/{target}/delete",
        f"{own}/targets/{target}/grants",
    ):
        fields = {"name": "Mine now", "level": "view", "user": "x", "token": token}
        assert browser.send(path, fields).status_code == 404
    browser.http.cookies.clear()
    browser.sign_in("ann@example.com")
    assert "Ours" in browser.open(made).text


def test_who_may_only_look_changes_nothing(browser: Browser) -> None:
    path = home_of(browser, "rita@example.com")
    page = browser.open(path)
    assert "New workspace" not in page.text
    token = Fields(page.text).found["token"]
    answer = browser.send(f"{path}/workspaces", {"name": "Hers", "token": token})
    assert answer.status_code == 403
    assert "Hers" not in browser.open(path).text


def test_another_site_sends_no_form(browser: Browser) -> None:
    path = home_of(browser, "ann@example.com")
    fields = {"name": "Forged", "token": Fields(browser.open(path).text).found["token"]}
    for origin in ("https://evil.example", "null"):
        assert browser.send(f"{path}/workspaces", fields, origin).status_code == 403
    without = {**fields, "token": ""}
    assert browser.send(f"{path}/workspaces", without).status_code == 403
    assert "Forged" not in browser.open(path).text


def test_a_refusal_names_the_next_step_on_a_page(browser: Browser) -> None:
    path = home_of(browser, "ann@example.com")
    fields = {"token": Fields(browser.open(path).text).found["token"]}
    name = f"Twice {secrets.token_hex(3)}"
    assert browser.send(f"{path}/workspaces", {**fields, "name": name}).status_code == 303
    again = browser.send(f"{path}/workspaces", {**fields, "name": name})
    assert again.status_code == 409
    assert again.headers["content-type"].startswith("text/html")
    empty = browser.send(f"{path}/workspaces", {**fields, "name": " "})
    assert empty.status_code == 409


def test_hostile_names_are_shown_and_not_run(browser: Browser) -> None:
    path = home_of(browser, "ann@example.com")
    fields = {"token": Fields(browser.open(path).text).found["token"]}
    name = "<script>alert(1)</script>"
    made = browser.send(f"{path}/workspaces", {**fields, "name": name}).headers["location"]
    page = browser.open(made)
    assert name not in page.text
    assert "&lt;script&gt;" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_an_unknown_page_is_a_page(browser: Browser) -> None:
    answer = browser.open("/console/no-such-page")
    assert answer.status_code == 404


def test_too_many_failures_of_an_account_are_refused_for_a_while(bridge: Bridge) -> None:
    browser = Browser(bridge)
    with browser.http:
        fields = {"email": "zoe@example.com", "password": "wrong password"}
        answers = [browser.send("/console/sign-in", fields) for _ in range(15)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
