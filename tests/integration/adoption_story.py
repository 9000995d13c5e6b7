"""Import, assignment, a large group, careless hands and repair, in a size of choice.

Rule: every step says what must be true of the directory itself, not of what the bridge tells.
"""

import time
from pathlib import Path
from typing import Any

import attrs
import structlog

from tests.integration.existing_directory import (
    Okta,
    Person,
    bridge_on,
    dns,
    members,
    populate,
    run,
)
from tests.integration.running import Bridge
from tests.openldap import OpenLDAP

figures = structlog.get_logger("tests.adoption").info


@attrs.frozen
class Sizes:
    """How many of everything; `edits` members go and as many come in the big group."""

    people: int
    groups: int
    assigned: int
    new: int
    big: int
    edits: int
    changed: int
    renamed: int
    deleted: int


def live_through(ldap: OpenLDAP, folder: Path, sizes: Sizes) -> None:
    """Adopt a directory, keep it, spoil it by hand and have it put right."""
    populate(ldap, sizes.people, sizes.groups)
    before = dns(ldap)
    with bridge_on(ldap, folder) as bridge:
        _import(bridge, sizes)
        assert dns(ldap) == before
        okta = Okta(bridge)
        _assign(bridge, ldap, okta, sizes, before)
        _push_a_big_group(bridge, ldap, okta, sizes)
        began = time.monotonic()
        code, told = run(bridge, "reconcile", "--backend", "corp")
        figures("reconciled", seconds=round(time.monotonic() - began, 1), **told["differences"])
        assert (code, told["differences"], told["inconclusive"]) == (0, {}, []), told["entries"][:3]
        assert told["seen"] == sizes.people + sizes.new + sizes.groups + 1
        _spoil_and_repair(bridge, ldap, sizes)


def _import(bridge: Bridge, sizes: Sizes) -> None:
    code, told = run(bridge, "import", "--backend", "corp")
    assert (code, told["create"], told["written"]) == (0, sizes.people + sizes.groups, False), told[
        "conflicts"
    ][:3]
    began = time.monotonic()
    code, told = run(bridge, "import", "--backend", "corp", "--write")
    figures("imported", seconds=round(time.monotonic() - began, 1), entries=told["create"])
    assert (code, told["create"]) == (0, sizes.people + sizes.groups)
    _, told = run(bridge, "import", "--backend", "corp", "--write")
    assert (told["create"], told["known"]) == (0, sizes.people + sizes.groups)


def _assign(bridge: Bridge, ldap: OpenLDAP, okta: Okta, sizes: Sizes, before: set[str]) -> None:
    there = [Person(n) for n in range(sizes.assigned)]
    new = [Person(sizes.people + n) for n in range(sizes.new)]
    began = time.monotonic()
    assert [found for _, found in okta.assign([*there, *new])] == [True] * len(there) + [
        False
    ] * len(new)
    bridge.wait_until_delivered()
    figures("assigned", seconds=round(time.monotonic() - began, 1), people=len(there) + len(new))
    new_dns = {f"uid={one.login},ou=people,{ldap.base_dn}" for one in new}
    assert dns(ldap) == before | new_dns


def _push_a_big_group(bridge: Bridge, ldap: OpenLDAP, okta: Okta, sizes: Sizes) -> None:
    found = okta.find(*(Person(n) for n in range(sizes.big + sizes.edits)))
    ids = [one["id"] for one in found if one is not None]
    assert len(ids) == sizes.big + sizes.edits
    began = time.monotonic()
    group_id = okta.push("everybody", ids[: sizes.big])
    bridge.wait_until_delivered()
    okta.change(group_id, add=ids[sizes.big :], remove=ids[: sizes.edits])
    bridge.wait_until_delivered()
    assert bridge.figure("bridge_held"), "so many members went that a person must be asked"
    assert Person(sizes.edits - 1).dn(ldap.base_dn) in members(ldap, "everybody")
    code, told = run(bridge, "deliveries", "release")
    assert (code, told) == (0, {"released": 2})  # for the directory and the bridge's own database
    bridge.wait_until_delivered()
    figures("pushed", seconds=round(time.monotonic() - began, 1), members=sizes.big)
    assert members(ldap, "everybody") == {
        Person(n).dn(ldap.base_dn) for n in range(sizes.edits, sizes.big + sizes.edits)
    }


def _spoil_and_repair(bridge: Bridge, ldap: OpenLDAP, sizes: Sizes) -> None:
    people = iter(Person(n) for n in range(sizes.assigned))
    changed = [next(people).dn(ldap.base_dn) for _ in range(sizes.changed)]
    deleted = [next(people).dn(ldap.base_dn) for _ in range(sizes.deleted)]
    # Half of the renamed are others' entries, which keep the name; half were named by the bridge.
    theirs = [next(people).dn(ldap.base_dn) for _ in range(sizes.renamed // 2)]
    ours = [
        f"uid={Person(sizes.people + n).login},ou=people,{ldap.base_dn}"
        for n in range(sizes.renamed - len(theirs))
    ]
    renamed = {
        dn: f"{dn.partition('=')[0]}=Renamed {n},{dn.partition(',')[2]}"
        for n, dn in enumerate([*theirs, *ours])
    }
    changes = [f"dn: {dn}\nchangetype: modify\nreplace: title\ntitle: King\n" for dn in changed]
    changes += [
        f"dn: {dn}\nchangetype: modrdn\nnewrdn: {now.partition(',')[0]}\ndeleteoldrdn: 1\n"
        for dn, now in renamed.items()
    ]
    changes += [f"dn: {dn}\nchangetype: delete\n" for dn in deleted]
    ldap.load("\n".join(changes))

    code, told = run(bridge, "reconcile", "--backend", "corp")
    assert code == 1
    assert _kinds(told) == {
        "changed": set(changed),
        "renamed": set(renamed.values()),
        "deleted": set(deleted),
    }
    assert all(
        row["attributes"] == ["title"] for row in told["entries"] if row["kind"] == "changed"
    )

    _, told = run(bridge, "reconcile", "--backend", "corp", "--repair")
    assert all(row["state"] == "repair is on its way" for row in told["entries"]), told["entries"]
    bridge.wait_until_delivered()
    code, told = run(bridge, "reconcile", "--backend", "corp")
    assert (code, told["differences"]) == (0, {}), told["entries"][:3]
    held = ldap.search("(objectClass=inetOrgPerson)", ("title",))
    assert {held[dn]["title"] for dn in changed} == {("Engineer",)}
    assert {*ours, *(renamed[dn] for dn in theirs)} <= held.keys()
    assert len(held) == sizes.people + sizes.new
    everybody = members(ldap, "everybody")
    assert len(everybody) == sizes.big
    assert everybody <= held.keys(), "a member is no entry"


def _kinds(told: dict[str, Any]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for row in told["entries"]:
        kinds.setdefault(row["kind"], set()).add(row["name"])
    return kinds
