"""Plans that trust the changes: pure, read as LDIF, one operation for one change."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from bridge.plugin import Defer, Link, Park
from bridge.testing import Story, World
from bridge_ldap import ldif, planning
from bridge_ldap.mapping import EntryMapping
from bridge_ldap.sections import Deactivation
from bridge_ldap.steps import AddEntry, ModifyMembers
from plugins.ldap_backend.tests.plans import (
    ANN,
    FORMER,
    PEOPLE,
    SALES,
    link,
    plan,
    settings,
)

# --- Stories ------------------------------------------------------------------------------------


def test_story_reads_as_ldif(story: Story, golden: Callable[[str, str], None]) -> None:
    mapping = EntryMapping(settings())
    plans = [planning.plan(mapping, [change], story.links) for change in story.changes]
    golden(f"{story.name}.ldif", "\n".join(filter(None, map(str, plans))) or "# nothing\n")


# --- One operation for one change ---------------------------------------------------------------


def test_only_attributes_that_changed_are_modified() -> None:
    world = World()
    world.user("ann", title="Engineer")
    done = plan([world.update("ann", title="Lead")], link(world, "ann", ANN))
    assert str(done) == ldif.record(
        ANN, "changetype: modify", *ldif.change("replace", "title", ["Lead"])
    )


@pytest.mark.parametrize("emptied", [None, ""])
def test_empty_text_removes_the_attribute(emptied: str | None) -> None:
    world = World()
    world.user("ann", title="Engineer")
    done = plan([world.update("ann", title=emptied)], link(world, "ann", ANN))
    assert "replace: title\n-" in str(done)


def test_a_change_the_mapping_does_not_keep_needs_no_step() -> None:
    world = World()
    world.user("ann")
    assert plan([world.update("ann", nickName="Annie")], link(world, "ann", ANN)).steps == ()


def test_pending_member_changes_become_one_modify() -> None:
    world = World()
    links: dict[str, Link] = {}
    for handle in ("ann", "bob", "eve"):
        world.user(handle)
        links |= link(world, handle, f"uid={handle},{PEOPLE}")
    world.group("sales", "ann")
    changes = [
        world.members("sales", add=["bob"]),
        world.members("sales", add=["eve"], remove=["ann"]),
        world.members("sales", remove=["bob"]),
    ]
    (step,) = plan(changes, links | link(world, "sales", SALES)).steps
    assert isinstance(step, ModifyMembers)
    assert (step.added, step.removed) == ((f"uid=eve,{PEOPLE}",), (f"uid=ann,{PEOPLE}",))


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [({"members_per_modify": 4}, [4, 4, 2]), ({"bytes_per_modify": 1024}, None)],
)
def test_many_members_are_sent_in_chunks(limit: dict[str, Any], sizes: list[int] | None) -> None:
    world = World()
    handles = [f"user-{n:03}" for n in range(10 if sizes else 100)]
    links: dict[str, Link] = {}
    for handle in handles:
        world.user(handle)
        links |= link(world, handle, f"uid={handle},{PEOPLE}")
    first, *rest = plan([world.group("sales", *handles)], links, **limit).steps
    assert isinstance(first, AddEntry)
    chunks = [first.attributes["member"], *(s.added for s in rest if isinstance(s, ModifyMembers))]
    assert [name for chunk in chunks for name in chunk] == [
        links[world.id(h)].name for h in handles
    ]
    assert sizes is None or list(map(len, chunks)) == sizes
    assert all(sum(len(name) for name in chunk) <= 1024 for chunk in chunks) or sizes


def test_members_come_before_members_go_when_it_takes_several_modifies() -> None:
    world = World()
    links: dict[str, Link] = {}
    for handle in ("ann", "bob"):
        world.user(handle)
        links |= link(world, handle, f"uid={handle},{PEOPLE}")
    world.group("sales", "ann")
    change = world.members("sales", add=["bob"], remove=["ann"])
    done = plan([change], links | link(world, "sales", SALES), members_per_modify=1)
    assert [(len(s.added), len(s.removed)) for s in done.steps if isinstance(s, ModifyMembers)] == [
        (1, 0),
        (0, 1),
    ]


def test_member_without_a_link_is_waited_for() -> None:
    world = World()
    world.user("ann")
    with pytest.raises(Defer, match="1 of 1 new members"):
        plan([world.group("sales", "ann")])


def test_member_that_never_arrived_need_not_be_removed() -> None:
    world = World()
    world.user("ann")
    world.group("sales", "ann")
    change = world.members("sales", remove=["ann"])
    assert plan([change], link(world, "sales", SALES)).steps == ()


# --- Names --------------------------------------------------------------------------------------


def test_rename_moves_the_entry_and_its_references() -> None:
    world = World()
    world.user("ann")
    done = plan([world.update("ann", userName="eve")], link(world, "ann", ANN))
    assert [type(step).__name__ for step in done.steps] == [
        "RenameEntry",
        "ReplaceReferences",
        "ReplaceReferences",
    ]
    assert "newrdn: uid=eve\ndeleteoldrdn: 1" in str(done)


def test_server_with_referential_integrity_mends_references_itself() -> None:
    world = World()
    world.user("ann")
    change = world.update("ann", userName="eve")
    done = plan([change], link(world, "ann", ANN), referential_integrity=True)
    assert [type(step).__name__ for step in done.steps] == ["RenameEntry"]


def test_renamed_entry_stays_where_an_administrator_moved_it() -> None:
    world = World()
    world.user("ann")
    here = f"uid=ann@example.com,ou=sales,{PEOPLE}"
    done = plan([world.update("ann", userName="eve")], link(world, "ann", here))
    assert "newsuperior" not in str(done)
    assert f"uid=eve,ou=sales,{PEOPLE}" in str(done)


def test_entry_named_by_another_attribute_keeps_its_name_until_that_changes() -> None:
    world = World()
    world.user("ann")
    links = link(world, "ann", f"cn=Ann,ou=old,{PEOPLE}")
    done = plan([world.update("ann", userName="eve")], links)
    assert str(done) == ldif.record(
        f"cn=Ann,ou=old,{PEOPLE}",
        "changetype: modify",
        *ldif.change("replace", "uid", ["eve"]),
    )
    done = plan([world.update("ann", displayName="Eve")], links)
    assert "newrdn: cn=Eve" in str(done)
    assert "replace: cn" not in str(done)


@pytest.mark.parametrize("name", ["", " ", "\t", "a\nb", "a\0b", "a\x7fb", "x" * 300])
def test_what_cannot_name_an_entry_is_parked_with_the_rule(name: str) -> None:
    world = World()
    with pytest.raises(Park) as parked:
        plan([world.user("ann", userName=name)])
    assert "users.attributes.uid = 'userName'" in parked.value.next_step


# --- Life and death -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "deactivated", "activated"),
    [
        ({}, "replace: employeeType\nemployeeType: inactive\n", "replace: employeeType\n-"),
        (
            {"attribute": "nsAccountLock", "value": "true", "active_value": "false"},
            "replace: nsAccountLock\nnsAccountLock: true\n",
            "replace: nsAccountLock\nnsAccountLock: false\n",
        ),
        (
            {"policy": "move", "base_dn": FORMER},
            f"newrdn: uid=ann@example.com\ndeleteoldrdn: 1\nnewsuperior: {FORMER}\n",
            f"newrdn: uid=ann@example.com\ndeleteoldrdn: 1\nnewsuperior: {PEOPLE}\n",
        ),
        ({"policy": "keep"}, "", ""),
    ],
)
def test_deactivation_follows_its_policy(
    policy: dict[str, str], deactivated: str, activated: str
) -> None:
    world = World()
    world.user("ann")
    users = {"deactivate": Deactivation(**policy)}  # type: ignore[arg-type]
    for active, expected in ((False, deactivated), (True, activated)):
        here = f"uid=ann@example.com,{FORMER}" if active and "move" in policy.values() else ANN
        done = plan([world.update("ann", active=active)], link(world, "ann", here), users=users)
        assert expected in str(done)
        assert bool(done.steps) == bool(expected)


@pytest.mark.parametrize(
    ("policy", "steps"),
    [
        ("delete", ["DeleteEntry", "ReplaceReferences", "ReplaceReferences"]),
        ("disable", ["ModifyEntry"]),
        ("keep", []),
    ],
)
def test_deletion_follows_its_policy(policy: str, steps: list[str]) -> None:
    world = World()
    world.user("ann")
    done = plan(world.delete("ann"), link(world, "ann", ANN), users={"delete": policy})
    assert [type(step).__name__ for step in done.steps] == steps


@pytest.mark.parametrize(
    ("configured", "members"),
    [("self", (SALES,)), ("none", None), ("cn=nobody", ("cn=nobody",))],
)
def test_an_empty_group_holds_its_placeholder(
    configured: str, members: tuple[str, ...] | None
) -> None:
    (step,) = plan([World().group("sales")], groups={"empty_member": configured}).steps
    assert isinstance(step, AddEntry)
    assert step.attributes.get("member") == members


def test_another_resource_type_is_not_kept() -> None:
    change = World().user("ann")
    device = attrs.evolve(change, entity=attrs.evolve(change.entity, type="Device"))
    assert plan([device]).steps == ()
