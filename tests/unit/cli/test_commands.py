"""The command line by itself: exit codes, errors as one line, JSON, and a quick --help."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli import main

HELP_SECONDS = 0.3
"""Processor time that `bridge --help` may take beyond an empty Python."""

LOADED_MACHINE = 2.0
"""Processor time counts for more while other tests share the caches."""

HEAVY = ("litestar", "sqlalchemy", "structlog", "uvicorn", "cattrs", "bridge.journal.store")


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    assert main(["init", str(tmp_path)]) == 0
    return tmp_path / "bridge.toml"


def out(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert main([str(one) for one in arguments]) == code
    return capsys.readouterr().out


def test_init_writes_a_configuration_that_is_understood(
    installation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    shown = out(capsys, "config", "show", "--config", installation, "--json")
    rows = {row["key"]: row for row in json.loads(shown)}
    assert rows["server.key"] == {"key": "server.key", "value": "***", "source": "file"}
    assert rows["scim.body_bytes"]["source"] == "default"
    assert main(["init", str(installation.parent)]) == 1
    assert "BRG-CONFIG-EXISTS" in capsys.readouterr().err


def test_the_examples_in_the_written_file_are_valid(
    installation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = installation.read_text()
    examples = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    assert examples != text
    installation.write_text(examples)
    capsys.readouterr()
    shown = json.loads(out(capsys, "config", "show", "--config", installation, "--json"))
    assert {"key": "backends.people.type", "value": "sql", "source": "file"} in shown


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["frobnicate"], 2, r"BRG-USAGE: .*frobnicate.* Next: Add --help\."),
        (["explain"], 2, r"BRG-USAGE: .* Next: Add --help\."),
        (["check", "--config", "/no/where.toml"], 1, r"BRG-CONFIG-UNREADABLE: .* Next: .*init.*"),
        (["simulate", "okta", "--url", "ftp://x", "--token", "t"], 1, r"BRG-SIMULATE-URL: .*"),
        (
            ["simulate", "okta", "--url", "http://127.0.0.1:1/scim/v2", "--token", "t"],
            3,
            r"BRG-REACH-BRIDGE: .* Next: .*quickstart.*",
        ),
        (["deliveries", "skip", "x", "--backend", "b"], 2, r"BRG-USAGE: .* Next: Add --yes.*"),
        (["backend", "remove", "b"], 2, r"BRG-USAGE: .* Next: Add --yes.*"),
    ],
)
def test_an_error_is_one_line_with_code_and_next_step(
    arguments: list[str], code: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert re.fullmatch(f"{error}\n", printed.err)
    assert printed.out == ""
    assert main([*arguments, "--json"]) == code
    (told,) = json.loads(capsys.readouterr().out)["errors"]
    assert set(told) == {"code", "problem", "next_step"}


def test_every_mistake_in_the_configuration_is_a_line(
    installation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.write_text(installation.read_text() + "[sever]\n[jornal]\n")
    capsys.readouterr()
    assert main(["check", "--config", str(installation)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["BRG-CONFIG-INVALID"] * 2


def test_check_changes_nothing(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(installation.parent.iterdir())
    capsys.readouterr()
    rows = json.loads(out(capsys, "check", "--config", installation, "--json"))
    assert {row["result"] for row in rows} == {"ok"}
    assert sorted(installation.parent.iterdir()) == before


def test_an_unforeseen_error_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise LookupError("nowhere")

    monkeypatch.setattr("bridge.cli.explanations.explanations", broken)
    assert main(["explain", "BRG-USAGE"]) == 1
    assert re.fullmatch(
        r"BRG-INTERNAL: Unforeseen LookupError: nowhere\. Next: Set BRIDGE_TRACEBACK=1.*\n",
        capsys.readouterr().err,
    )
    monkeypatch.setenv("BRIDGE_TRACEBACK", "1")
    with pytest.raises(LookupError):
        main(["explain", "BRG-USAGE"])


def test_tenants_from_nothing_to_a_token(
    installation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--config", installation, "--json")
    capsys.readouterr()
    assert main(["connection", "create", "okta", "--config", str(installation)]) == 1
    assert "BRG-ORGANIZATION-UNKNOWN" in capsys.readouterr().err
    out(capsys, "org", "create", "acme", *where)
    made = json.loads(out(capsys, "connection", "create", "okta", "--profile", "okta", *where))
    assert made["profile"] == "okta"
    token = json.loads(out(capsys, "token", "create", "okta", "--expires-days", "30", *where))
    (listed,) = json.loads(out(capsys, "token", "list", *where))
    assert (listed["id"], listed["connection"], listed["revoked"]) == (token["id"], "okta", None)
    assert listed["expires"] > listed["created"]
    out(capsys, "token", "revoke", token["id"], *where)
    (listed,) = json.loads(out(capsys, "token", "list", *where))
    assert listed["revoked"] is not None
    out(capsys, "org", "create", "other", *where)
    assert main(["connection", "list", "--config", str(installation)]) == 1
    assert "BRG-ORGANIZATION-WHICH" in capsys.readouterr().err
    chosen = out(capsys, "connection", "list", "--org", "acme", *where)
    assert [row["name"] for row in json.loads(chosen)] == ["okta"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["connection", "create", "x", "--profile", "klingon"], "BRG-PROFILE-UNKNOWN"),
        (["token", "create", "x"], "BRG-CONNECTION-UNKNOWN"),
        (["token", "revoke", "x"], "BRG-TOKEN-UNKNOWN"),
        (["org", "create", "acme"], "BRG-ORGANIZATION-EXISTS"),
        (["backend", "pause", "x"], "BRG-BACKEND-UNKNOWN"),
        (["deliveries", "show", "x"], "BRG-DELIVERY-NONE"),
        (["deliveries", "list", "--backend", "x"], "BRG-BACKEND-UNKNOWN"),
    ],
)
def test_what_is_not_there_is_named(
    arguments: list[str], code: str, installation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["org", "create", "acme", "--config", str(installation)]) == 0
    capsys.readouterr()
    assert main([*arguments, "--config", str(installation)]) == 1
    assert capsys.readouterr().err.startswith(f"{code}: ")


def test_the_json_schema_knows_every_installed_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(out(capsys, "config", "schema", "--json"))
    kinds = schema["properties"]["backends"]["items"]["oneOf"]
    assert {kind["title"] for kind in kinds} >= {"ldap", "sql", "webhook"}


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from bridge.cli import main; main(['--help']);"
        f"sys.exit(str([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == "[]\n"
    for command in ("quickstart", "serve", "check", "simulate", "explain", "deliveries"):
        assert f"  {command}: " in done.stdout


def test_help_is_quick() -> None:
    best = min(_processor_seconds("-m", "bridge.cli", "--help") for _ in range(3))
    empty = min(_processor_seconds("-c", "pass") for _ in range(3))
    assert best - empty < HELP_SECONDS * LOADED_MACHINE


def _processor_seconds(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
