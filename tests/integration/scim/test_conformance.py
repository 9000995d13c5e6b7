"""The public conformance suites, run against the running endpoint as their authors ship them."""

import json
import os
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from tests.dialects.served import Tenant

SCRIPTS = Path(sysconfig.get_path("scripts"))
BAD = ("ERROR", "CRITICAL", "DEVIATION")
SUCCESSES = 135
PROBES = 28


def test_scim2_tester_finds_nothing_wrong(idp: Tenant) -> None:
    """`scim test` ends with 0 whatever it finds, so its lines are counted."""
    done = subprocess.run(
        [SCRIPTS / "scim", "--url", idp.served.url, "test"],
        env=os.environ | {"SCIM_CLI_HEADERS": f"Authorization: Bearer {idp.token}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    lines = done.stdout.splitlines()
    found = Counter(line.split(" ", 1)[0] for line in lines if line)
    assert not [line for line in lines if line.startswith(BAD)], done.stdout
    assert found["SUCCESS"] >= SUCCESSES, done.stdout + done.stderr


@pytest.mark.parametrize("mode", [[], ["--compat"], ["--profile", "entra"]], ids=str)
def test_scim_sanity_passes_all_it_does_not_skip(idp: Tenant, mode: list[str]) -> None:
    done = subprocess.run(
        [
            *(SCRIPTS / "scim-sanity", "probe", idp.served.url, "--token", idp.token),
            *("--i-accept-side-effects", "--json-output", *mode),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    report = json.loads(done.stdout)
    assert done.returncode == 0, report["issues"]
    assert report["summary"]["passed"] >= PROBES
    assert report["summary"]["passed"] + report["summary"]["skipped"] == report["summary"]["total"]
