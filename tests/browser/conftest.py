"""A real browser on a running bridge. Rule: what a test does, a person could do with a mouse.

The browser is the Chromium of this machine (`BRIDGE_TEST_CHROMIUM` names another one). Every page
that a test looks at is kept as a picture in the folder of `BRIDGE_TEST_PICTURES`, if that is set.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.containers import missing
from tests.integration.running import Bridge, quickstart

QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


@attrs.frozen(eq=False)
class Person:
    """Somebody in front of a browser of their own."""

    bridge: Bridge
    page: Page

    def opens(self, path: str) -> None:
        self.page.goto(path if path.startswith("http") else self.bridge.url + path)

    def looks(self, name: str) -> None:
        """Look at the page: keep a picture, and refuse what a person may not be able to use."""
        folder = os.environ.get("BRIDGE_TEST_PICTURES")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
        found: dict[str, Any] = Axe().run(self.page).response
        serious = [
            f"{one['id']}: {one['help']} {[node['html'] for node in one['nodes']]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []

    def sees(self, *texts: str) -> None:
        for text in texts:
            self.page.get_by_text(text).first.wait_for(timeout=20_000)

    def link(self, name: str) -> None:
        self.page.get_by_role("link", name=re.compile(name)).first.click()

    def button(self, name: str) -> None:
        self.page.get_by_role("button", name=re.compile(name)).first.click()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser; while it is there, this thread has a running event loop."""
    found = os.environ.get("BRIDGE_TEST_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), ""
    )
    if not found:
        missing("chromium", "no Chromium is installed; set BRIDGE_TEST_CHROMIUM to one")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        except Error as error:
            missing("chromium", f"{found} does not start: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge as `bridge quickstart` makes it."""
    with quickstart(tmp_path_factory.mktemp("browser") / "quickstart") as running:
        yield running


@pytest.fixture
def person(bridge: Bridge, chromium: Browser) -> Iterator[Person]:
    """Somebody whom the bridge does not know yet. JavaScript is off: every page works without."""
    context = chromium.new_context(viewport={"width": 1100, "height": 800})
    context.set_default_timeout(20_000)
    with context:
        yield Person(bridge, context.new_page())


@pytest.fixture
def admin(bridge: Bridge, person: Person) -> Person:
    """Somebody who signed in with the link that the command line printed."""
    link = urlsplit(bridge.json("account", "link", "admin@localhost")["login_url"])
    person.opens(f"{link.path}?{link.query}")  # the port of the configuration is 0: any
    person.button("Continue")
    return person
