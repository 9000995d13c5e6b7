"""Logging: JSON lines off a terminal, and never what a local variable holds."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from bridge.operations import logs

CANARY = "canary-9f3a"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail_with_a_secret_in_a_local_variable() -> None:
    password = CANARY  # noqa: F841 - it must not be shown
    raise RuntimeError("broken")


def logged(form: str) -> str:
    stream = io.StringIO()
    logs.configure("info", form, stream)
    try:
        fail_with_a_secret_in_a_local_variable()
    except RuntimeError:
        structlog.stdlib.get_logger("test").exception("failed", code=7)
        logging.getLogger("foreign").exception("foreign failed")
    structlog.stdlib.get_logger("test").debug("not written")
    return stream.getvalue()


@pytest.mark.parametrize("form", ["json", "text", "auto"])
def test_a_traceback_has_no_local_variables(form: str) -> None:
    text = logged(form)
    assert "RuntimeError" in text
    assert CANARY not in text
    assert "not written" not in text


def test_off_a_terminal_each_line_is_json() -> None:
    lines = [json.loads(line) for line in logged("auto").splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("failed", "error"),
        ("foreign failed", "error"),
    ]
    assert lines[0]["code"] == 7


def test_libraries_that_say_too_much_are_quiet() -> None:
    logs.configure("debug", "json", io.StringIO())
    assert not logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO)
