"""`bridge simulate okta`: what an Okta app sends, against a running bridge.

Rule: it uses HTTP and the connection's token only, so it proves what Okta would meet.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from bridge.cli.common import Json
from bridge.cli.output import note, say, write_json, write_rows

if TYPE_CHECKING:
    from bridge.cli.simulate.okta import Exchange
    from bridge.cli.simulate.story import Outcome
    from bridge.cli.simulate.wire import Wire

app = App(
    name="simulate",
    help="Play an identity provider against a running bridge.",
    help_formatter="plain",
)

POLL_SECONDS = 0.2

_COLUMNS = ("backend", "type", "name", "held_as", "applied", "target", "state", "error")


@app.command
def okta(
    *,
    url: Annotated[str, Parameter(env_var="BRIDGE_SCIM_URL")],
    token: Annotated[str, Parameter(env_var="BRIDGE_SCIM_TOKEN")],
    wait_seconds: float = 30.0,
    json: Json = False,
) -> int:
    """Play a day of an Okta admin, with a custom app (PUT) and with a catalogue app (PATCH).

    Ends with a table of what each backend holds. Exit code 1: an answer was not what Okta accepts,
    or something was not delivered in time.

    Parameters
    ----------
    url
        SCIM URL of the bridge, ending in /scim/v2.
    token
        API token of a connection.
    wait_seconds
        How long deliveries may take at the end, in seconds.
    json
        Print JSON.
    """
    from bridge.cli.simulate.okta import CatalogueApp, CustomApp, Unexpected
    from bridge.cli.simulate.story import play
    from bridge.cli.simulate.wire import Wire
    from bridge.core.secret import Secret

    wire = Wire(url, Secret(token))
    exchanges: list[Exchange] = []

    def report(exchange: "Exchange") -> None:
        exchanges.append(exchange)
        if not json:
            note(_line(exchange))

    problems: list[str] = []
    outcomes: list[Outcome] = []
    try:
        outcomes += play(CustomApp(wire, report), "custom.example", "Simulated Sales")
        outcomes += play(CatalogueApp(wire, report), "catalogue.example", "Simulated Support")
    except Unexpected as error:
        problems.append(str(error))
    status = Wire(url.rstrip("/").removesuffix("/scim/v2"), Secret(token))
    rows = _delivered(status, outcomes, time.monotonic() + wait_seconds)
    problems += [
        f"{row['name']}: {row['backend']} has version {row['applied']} of {row['target']}"
        for row in rows
        if row["state"] != "in sync"
    ]
    if json:
        import attrs

        asked = [attrs.asdict(exchange) for exchange in exchanges]
        write_json({"exchanges": asked, "held": rows, "problems": problems})
    else:
        write_rows(rows, _COLUMNS, as_json=False, title="What the backends hold")
        for problem in problems:
            say(f"Problem: {problem}")
        say(f"{len(exchanges)} requests, {len(problems)} problems.")
    return 1 if problems else 0


def _delivered(wire: "Wire", outcomes: "Iterable[Outcome]", until: float) -> list[dict[str, Any]]:
    rows = []
    for outcome in outcomes:
        while True:
            answer = wire.ask("GET", f"/v1/deliveries/{outcome.id}")
            standing = answer.document["backends"] if answer.status == 200 else []
            waiting = any(one["state"] not in ("in sync", "parked") for one in standing)
            if not waiting or time.monotonic() > until:
                break
            time.sleep(POLL_SECONDS)
        resource = {"type": outcome.type, "id": outcome.id, "name": outcome.name}
        rows += [{**one, **resource} for one in standing]
    return sorted(rows, key=lambda row: str(row["backend"]))


def _line(exchange: "Exchange") -> str:
    path = exchange.path.partition("?")[0]
    return (
        f"{exchange.status}  {exchange.milliseconds:6.1f} ms  {exchange.method:5} {path:45.45}  "
        f"{exchange.task}"
    )
