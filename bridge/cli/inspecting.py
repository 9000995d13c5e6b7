"""`bridge check`, `bridge explain` and `bridge config`.

Rule: these look and never change anything.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from cyclopts import App

from bridge.cli.common import COMMON, Common, Json
from bridge.cli.output import say, write_json, write_rows
from bridge.core.errors import BackendDown, NotApplied, OperatorError

if TYPE_CHECKING:
    from bridge.config import Loaded
    from bridge.hosting import HostedBackend

config = App(
    name="config", help="The configuration in effect, and its schema.", help_formatter="plain"
)

_FINDING_COLUMNS = ("where", "result", "code", "message", "next_step")


@config.command
def show(*, common: Common = COMMON) -> None:
    """Show every key, its value and who set it: default, file or environment."""
    from bridge.config import Source
    from bridge.hosting import host

    loaded = common.load()
    hosted = host(loaded)
    rows = [
        {"key": key, "value": value, "source": str(_source(loaded, key, Source.DEFAULT))}
        for key, value in _effective(loaded, hosted)
    ]
    write_rows(rows, ("key", "value", "source"), as_json=common.json)


@config.command
def schema(*, json: Json = False) -> None:
    """Print the JSON Schema of the configuration file, with the keys of all installed plugins.

    Parameters
    ----------
    json
        Print it on one line.
    """
    from json import dumps

    from bridge.config import json_schema
    from bridge.loading import installed_plugins, load_backend_types

    kinds = load_backend_types(found.name for found in installed_plugins())
    made = json_schema({name: kind.settings for name, kind in kinds.items()})
    if json:
        write_json(made)
    else:
        say(dumps(made, indent=2, ensure_ascii=False))


def explain(code: str, *, json: Json = False) -> None:
    """Explain an error code.

    Parameters
    ----------
    code
        The code, for example BRG-CONFIG-INVALID.
    json
        Print JSON.
    """
    from bridge.cli.explanations import explanations

    wanted = code.upper()
    known = explanations()
    found = known.get(wanted)
    if found is None:
        near = [one for one in known if one.startswith(wanted.rpartition("-")[0])]
        raise OperatorError(
            "BRG-EXPLAIN-UNKNOWN",
            f"There is no explanation of {wanted}.",
            f"Known are {', '.join(near or known)}.",
        )
    if json:
        write_json({"code": wanted, "meaning": found.meaning, "remedy": found.remedy})
    else:
        say(f"{wanted}\n\n{found.meaning}\n\n{found.remedy}")


def check(*, common: Common = COMMON) -> int:
    """Look at the configuration, the journal and every backend; change nothing.

    Exit code 1: something is wrong. 3: a backend cannot be reached.
    """
    from bridge.hosting import host

    loaded = common.load()
    rows = [_fine("configuration", f"{loaded.path} is understood.")]
    hosted = host(loaded)
    rows.append(_fine("plugins", f"{len(hosted)} backends are configured."))
    rows.append(_fine("journal", _journal(loaded)))
    code = 0
    for one in hosted:
        found, one_code = _look(one)
        rows += found
        code = max(code, one_code)
    write_rows(rows, _FINDING_COLUMNS, as_json=common.json)
    return code


def _journal(loaded: "Loaded") -> str:
    from bridge.journal import backends
    from bridge.journal.store import open_configured

    try:
        journal = open_configured(loaded, exclusive=False)
    except OperatorError as error:
        if error.code == "BRG-JOURNAL-MISSING":
            return "There is none yet; the first start makes it."
        raise
    try:
        return f"It opens; {len(journal.read_now(backends.every))} backends follow it."
    finally:
        journal.close()


def _look(hosted: "HostedBackend") -> tuple[list[dict[str, Any]], int]:
    try:
        backend = hosted.open()
        try:
            findings = list(backend.check())
        finally:
            backend.close()
    except NotApplied as error:
        unreachable = isinstance(error, BackendDown)
        row = {
            "where": hosted.name,
            "result": "PROBLEM",
            "code": "BRG-REACH-BACKEND" if unreachable else "BRG-CHECK-REFUSED",
            "message": error.reason,
            "next_step": "Check address, network, credentials and the target itself.",
        }
        return [row], 3 if unreachable else 1
    rows = [
        {
            "where": hosted.name,
            "result": "ok" if finding.ok else "PROBLEM",
            **attrs.asdict(finding, filter=lambda field, _: field.name != "ok"),
        }
        for finding in findings
    ]
    return rows, 0 if all(finding.ok for finding in findings) else 1


def _fine(where: str, message: str) -> dict[str, Any]:
    return {"where": where, "result": "ok", "code": "", "message": message, "next_step": ""}


def _effective(loaded: "Loaded", hosted: "list[HostedBackend]") -> Iterator[tuple[str, str]]:
    whole = loaded.configuration
    for section in ("server", "scim", "journal", "log", "plugins"):
        yield from _leaves(section, getattr(whole, section))
    for rtype in loaded.registry.resource_types:
        urns = [rtype.schema.id, *(extension.schema.id for extension in rtype.extensions)]
        yield f"resource_types.{rtype.name}", f"{rtype.endpoint} {' '.join(urns)}"
    for table, one in zip(whole.backends, hosted, strict=True):
        place = f"backends.{table.name}"
        for name in ("type", "name", "slots", "lease_seconds"):
            yield f"{place}.{name}", str(getattr(table, name))
        yield from _leaves(place, one.settings)


def _leaves(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if attrs.has(type(value)) and not hasattr(value, "reveal"):
        for field in attrs.fields(type(value)):
            yield from _leaves(f"{place}.{field.name}", getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{place}.{key}", inner)
    else:
        yield place, str(value)


def _source(loaded: "Loaded", key: str, default: Any) -> Any:
    for place in (key, f"{key}_file"):
        if place in loaded.sources:
            return loaded.sources[place]
    return default
