"""The page of the admin API says what is served. `make golden ARGS=tests/unit/admin` writes it."""

from pathlib import Path

import pytest

from bridge.admin.calls import CONNECTIONS_TOO, INSTALLATION_ONLY, ROLE
from bridge.admin.router import HANDLERS, MOUNT
from bridge.auth.admins import Role

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "admin-api.md"
BEGIN, END = "<!-- made from the code: begin -->", "<!-- made from the code: end -->"


def operations() -> str:
    lines = ["| Call | What it does | Role |", "|---|---|---|"]
    for handler in HANDLERS:
        (verb,) = handler.http_methods
        (path,) = handler.paths
        least = Role.READ_ONLY if verb == "GET" else Role.ADMIN
        role = f"`{handler.opt.get(ROLE, least)}`"
        role += " `installation`" if handler.opt.get(INSTALLATION_ONLY) else ""
        role += " or a connection's token" if handler.opt.get(CONNECTIONS_TOO) else ""
        said = (handler.fn.__doc__ or "").strip().split("\n")[0]
        lines.append(f"| `{verb} {MOUNT}{path.replace(':str', '')}` | {said} | {role} |")
    return "\n".join(lines)


def test_the_page_says_what_is_served(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    made = f"{before}{BEGIN}\n\n{operations()}\n\n{END}{after}"
    if request.config.getoption("--golden-update"):
        PAGE.write_text(made, encoding="utf-8")
    else:
        assert text == made, "make golden ARGS=tests/unit/admin"
