"""Rendering: templates into answers that a browser can do nothing else with.

Rule: nothing is loaded from elsewhere, nothing is framed, no page is kept in a cache.
"""

from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import Response

STYLE = "/console/static/console.css"

_HEADERS = {
    "cache-control": "no-store",
    "content-type": "text/html; charset=utf-8",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    # Not no-referrer: a browser would then send its forms with the origin "null".
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def page(
    template: str, status: int = 200, *, answers_to: str | None = None, **values: Any
) -> Response[str]:
    """Return a page; `answers_to` is an address that a form of the page may end at, elsewhere."""
    text = _environment().get_template(template).render(style=STYLE, **values)
    policy = _policy(answers_to)
    headers = {**_HEADERS, "content-security-policy": policy}
    return Response(text, status_code=status, headers=headers)


def see(location: str) -> Response[None]:
    """Send the browser on: 303, so that a form is never sent twice."""
    headers = {"location": location, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(None, status_code=303, headers=headers)


def style_sheet() -> Response[str]:
    """Return the one style sheet."""
    headers = {
        "content-type": "text/css; charset=utf-8",
        "cache-control": "max-age=3600",
        "x-content-type-options": "nosniff",
    }
    return Response(_style(), headers=headers)


@cache
def _style() -> str:
    return files("bridge.console").joinpath("static", "console.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bridge.console"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _policy(answers_to: str | None) -> str:
    # Chromium holds a form's redirections to form-action too (CSP 3 section 6.3.1).
    elsewhere = ""
    if answers_to is not None:
        parts = urlsplit(answers_to)
        elsewhere = f" {parts.scheme}://{parts.netloc}"
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"form-action 'self'{elsewhere}; frame-ancestors 'none'"
    )
