"""Entries of others: by which rule they are taken over, and what is left for a person to decide."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.existing_directory import Okta, Person, bridge_on, dns, populate, run
from tests.integration.running import BRIDGE, Bridge
from tests.openldap import OpenLDAP

PEOPLE = 24


@pytest.fixture
def ldap(openldap: OpenLDAP) -> OpenLDAP:
    populate(openldap, PEOPLE, 1)
    return openldap


@pytest.fixture
def bridge(ldap: OpenLDAP, tmp_path: Path) -> Iterator[Bridge]:
    rule = 'users.existing = { adopt = ["uid", "mail"] }\ngroups.existing = { adopt = ["cn"] }'
    with bridge_on(ldap, tmp_path, rule) as running:
        yield running


@pytest.fixture
def strict(ldap: OpenLDAP, tmp_path: Path) -> Iterator[Bridge]:
    with bridge_on(ldap, tmp_path) as running:
        yield running


def parked(bridge: Bridge) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        _, found = run(bridge, "deliveries", "list", "--parked")
        if found:
            return list(found)
        time.sleep(0.2)
    return []


def test_an_entry_that_fits_the_rule_is_linked_and_updated_where_it_is(
    bridge: Bridge, ldap: OpenLDAP
) -> None:
    before = dns(ldap)
    with Okta(bridge).http() as http:
        body = Person(3).body() | {"title": "Manager"}
        body.pop("name")
        http.post("/Users", json=body).raise_for_status()
    bridge.wait_until_delivered()
    assert dns(ldap) == before
    entry = ldap.search(f"(uid={Person(3).login})")[Person(3).dn(ldap.base_dn)]
    assert entry["title"] == ("Manager",)
    assert entry["givenName"] == ("Given3",), "what nobody spoke of is gone"
    assert "labeledURI" not in entry


def test_a_group_that_is_taken_over_keeps_its_members(bridge: Bridge, ldap: OpenLDAP) -> None:
    def members() -> int:
        (entry,) = ldap.search("(cn=group 000)", ("member",)).values()
        return len(entry["member"])

    before = members()
    Okta(bridge).push("group 000", [])
    bridge.wait_until_delivered()
    assert members() == before
    code, told = run(bridge, "reconcile", "--backend", "corp")
    (row,) = [row for row in told["entries"] if row["kind"] == "members"]
    assert (code, row["removes"]) == (1, before)


def test_an_entry_that_fits_the_rule_in_part_is_left_and_a_new_one_stands_beside_it(
    bridge: Bridge, ldap: OpenLDAP
) -> None:
    before = dns(ldap)
    with Okta(bridge).http() as http:
        other = [{"primary": True, "value": "somebody@example.net", "type": "work"}]
        body = Person(4).body() | {"emails": other}
        http.post("/Users", json=body).raise_for_status()
    bridge.wait_until_delivered()
    assert dns(ldap) == before | {f"uid={Person(4).login},ou=people,{ldap.base_dn}"}


def test_two_entries_that_fit_the_rule_are_a_conflict(bridge: Bridge, ldap: OpenLDAP) -> None:
    twin = Person(5).ldif(ldap.base_dn).replace("cn=", "cn=Other ").replace("cn: ", "cn: Other ")
    ldap.load(twin)
    before = dns(ldap)
    Okta(bridge).assign([Person(5)])
    (delivery,) = parked(bridge)
    assert "have the same uid, mail" in delivery["error"]
    assert "existing.adopt" in delivery["next_step"]
    assert dns(ldap) == before


def test_without_a_rule_nothing_is_taken_over_by_its_name(strict: Bridge, ldap: OpenLDAP) -> None:
    taken = f"uid={Person(99).login},ou=people,{ldap.base_dn}"
    ldap.load(f"dn: {taken}\nobjectClass: inetOrgPerson\ncn: x\nsn: x\ntitle: Theirs\n")
    Okta(strict).assign([Person(99)])
    (delivery,) = parked(strict)
    assert "was not made by the bridge" in delivery["error"]
    assert "bridge import" in delivery["next_step"]
    assert ldap.search("(sn=x)")[taken]["title"] == ("Theirs",)


def test_import_asks_about_what_it_cannot_know_and_does_what_was_decided(
    strict: Bridge, ldap: OpenLDAP, tmp_path: Path
) -> None:
    twin = Person(5).ldif(ldap.base_dn).replace("cn=", "cn=Other ").replace("cn: ", "cn: Other ")
    nameless = f"dn: cn=Nameless,ou=people,{ldap.base_dn}\nobjectClass: inetOrgPerson\nsn: x\n"
    ldap.load(f"{twin}\n{nameless}")
    review = tmp_path / "people.jsonl"
    code, told = run(strict, "import", "--backend", "corp", "--review", str(review))
    assert (code, told["written"], told["conflict"]) == (1, False, 3)
    reasons = sorted(row["reason"] for row in told["conflicts"])
    assert reasons[0] == reasons[1] == f'2 entries have the userName "{Person(5).login}"'
    assert reasons[2] == "it has no value that is its userName"
    assert Okta(strict).find(Person(1)) == [None]

    rows = [json.loads(line) for line in review.read_text().splitlines()]
    assert len(rows) == told["create"] + told["conflict"]
    for row in rows:
        if row["name"].startswith("cn=Other"):
            row["decision"] = "create"
        if row["name"].startswith("cn=Nameless"):
            row["decision"] = "create"
            row["attributes"]["userName"] = "nameless@example.com"
        if row["name"] == Person(7).dn(ldap.base_dn):
            row["decision"] = "skip"
    decided = [row for row in rows if row["name"] != Person(8).dn(ldap.base_dn)]
    review.write_text("".join(json.dumps(row) + "\n" for row in decided))
    _, told = run(strict, "import", "--backend", "corp", "--apply", str(review))
    assert (told["create"], told["conflict"]) == (len(decided) - 2, 0)  # two are left as they are
    there = Okta(strict).find(*(Person(n) for n in (1, 5, 7, 8)))
    assert [one is not None for one in there] == [True, True, False, False]
    strict.wait_until_delivered()
    assert not strict.figure("bridge_parked")


def test_a_review_that_is_none_is_refused(strict: Bridge, tmp_path: Path) -> None:
    review = tmp_path / "people.jsonl"
    review.write_text('{"decision": "perhaps"}\n')
    code, told = run(strict, "import", "--backend", "corp", "--apply", str(review))
    assert (code, told["errors"][0]["code"]) == (1, "BRG-IMPORT-REVIEW")


def test_members_of_groups_are_imported_also_those_that_come_later(
    strict: Bridge, ldap: OpenLDAP
) -> None:
    base = ldap.base_dn
    stranger = "cn=stranger,dc=elsewhere"
    ldap.load(
        f"dn: cn=a,ou=groups,{base}\nobjectClass: groupOfNames\nmember: cn=b,ou=groups,{base}\n"
        f"member: {Person(1).dn(base).upper()}\nmember: {stranger}\n\n"
        f"dn: cn=b,ou=groups,{base}\nobjectClass: groupOfNames\nmember: {Person(2).dn(base)}\n"
    )
    code, told = run(strict, "import", "--backend", "corp", "--write")
    assert (code, told["outside"]) == (0, {f"cn=a,ou=groups,{base}": 1})
    with Okta(strict).http() as http:
        query = {"filter": 'displayName eq "a"'}
        (group,) = http.get("/Groups", params=query).json()["Resources"]
        assert len(group["members"]) == 2
    strict.wait_until_delivered()
    (entry,) = ldap.search("(cn=a)", ("member",)).values()
    assert len(entry["member"]) == 3, "the import wrote to the directory"
    _, told = run(strict, "reconcile", "--backend", "corp")
    assert {(row["kind"], row["name"]) for row in told["entries"]} == {
        ("members", f"cn=a,ou=groups,{base}")
    }


def test_an_import_that_was_killed_is_simply_started_again(ldap: OpenLDAP, tmp_path: Path) -> None:
    extra = [Person(n) for n in range(1000, 3000)]
    ldap.load("\n".join(one.ldif(ldap.base_dn) for one in extra))
    with bridge_on(ldap, tmp_path) as bridge:
        config = str(bridge.directory / "bridge.toml")
        command = [str(BRIDGE), "import", "--backend", "corp", "--write", "--config", config]
        killed = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert killed.stderr is not None
        line = killed.stderr.readline()  # the first thousand are written
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        killed.stderr.close()
        assert re.match(r"1000 entries", line), line
        _, told = run(bridge, "import", "--backend", "corp", "--write")
        assert told["known"] >= 500
        assert told["create"] + told["known"] == PEOPLE + len(extra) + 1
        assert told["create"] > 0, "it was killed too late to show anything"
        bridge.wait_until_delivered()
        assert run(bridge, "reconcile", "--backend", "corp")[0] == 0
