"""`bridge plan`: what would be written, and nothing is.

Rule: the plan is made by the code that would deliver it.
"""

from typing import Any

from bridge.cli.common import COMMON, Common, journal_of
from bridge.cli.delivering import backend_names
from bridge.cli.output import say, write_json

PLAN_LIMIT = 20
"""Resources that a plan shows."""


def plan(
    name: str | None = None,
    *,
    limit: int = PLAN_LIMIT,
    common: Common = COMMON,
) -> int:
    """Show what would be written next, or if a hold ended: LDIF, SQL or HTTP. Nothing is written.

    Exit code 1: something cannot be planned. 3: the target would have to be read and cannot be.

    Parameters
    ----------
    name
        The backend's name; all of them by default.
    limit
        Resources to show for each backend.
    """
    from bridge.engine.planner import plan_pending
    from bridge.hosting import host

    loaded = common.load()
    hosted = host(loaded)
    rows: list[dict[str, Any]] = []
    with journal_of(loaded) as journal:
        names = journal.read_now(lambda reader: backend_names(reader, name))
        for one in hosted:
            if one.name in names:
                rows += [
                    {
                        "backend": one.name,
                        "type": planned.entity.type,
                        "id": planned.entity.id,
                        "applied": planned.applied,
                        "target": planned.target,
                        "held": planned.held,
                        "plan": planned.text,
                        "refusal": planned.refusal,
                    }
                    for planned in plan_pending(journal, one, limit=limit)
                ]
    if common.json:
        write_json(rows)
    elif not rows:
        say("Nothing is pending.")
    for row in rows if not common.json else ():
        held = ", held" if row["held"] else ""
        step = f"{row['applied']} > {row['target']}{held}"
        say(f"# {row['backend']}: {row['type']} {row['id']}, {step}")
        say(row["plan"] or row["refusal"] or "(in sync)")
        say("")
    return 1 if any(row["refusal"] for row in rows) else 0
