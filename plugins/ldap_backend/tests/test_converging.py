"""Plans that trust what was observed: converge, link what is ours, leave what is not."""

from typing import Any

import pytest

from bridge.plugin import Link, Park, RetryLater
from bridge.testing import World
from bridge_ldap import ldif
from bridge_ldap.steps import AddEntry, ModifyMembers
from plugins.ldap_backend.tests.plans import (
    ANN,
    BRIDGE,
    PEOPLE,
    SALES,
    entry,
    link,
    plan,
)

# --- Looking ------------------------------------------------------------------------------------


def test_what_has_no_link_is_looked_at_first() -> None:
    world = World()
    created = world.user("ann")
    assert "looked at first" in str(plan([world.update("ann", title="Lead")]))
    assert "looked at first" in str(plan([created], link(world, "ann", ANN)))


def test_creation_renamed_while_pending_is_looked_at_first() -> None:
    world = World()
    changes = [world.user("ann"), world.update("ann", userName="eve")]
    assert "looked at first" in str(plan(changes))


def held(world: World, handle: str = "ann", **more: Any) -> dict[str, Any]:
    """What the directory holds when it holds exactly what is wanted."""
    (step,) = plan([world.snapshot(world.id(handle))]).steps
    assert isinstance(step, AddEntry)
    return {**step.attributes, **more}


def test_observed_entry_in_sync_needs_no_step() -> None:
    world = World()
    world.user("ann")
    there = entry(ANN, "ann", **held(world), description=["somebody's own"])
    snapshot = world.snapshot(world.id("ann"))
    assert plan([snapshot], link(world, "ann", ANN), there).steps == ()


def test_observed_differences_are_put_right_and_foreign_attributes_left() -> None:
    world = World()
    world.user("ann")
    there = entry(
        ANN, "ann", **held(world, mail=["else@example.com"], title=["Boss"]), description=["own"]
    )
    done = plan([world.snapshot(world.id("ann"))], link(world, "ann", ANN), there)
    assert str(done) == ldif.record(
        ANN,
        "changetype: modify",
        *ldif.change("replace", "mail", ["ann@example.com"]),
        *ldif.change("replace", "title", []),
    )


def test_missing_object_class_is_added_and_none_is_removed() -> None:
    world = World()
    world.user("ann")
    there = entry(ANN, "ann", **held(world, objectClass=["person", "posixAccount"]))
    done = plan([world.snapshot(world.id("ann"))], link(world, "ann", ANN), there)
    assert "add: objectClass\nobjectClass: inetOrgPerson\n-" in str(done)
    assert "delete" not in str(done)


def test_entry_that_is_gone_is_added_again() -> None:
    world = World()
    world.user("ann")
    snapshot = world.snapshot(world.id("ann"))
    (step,) = plan([snapshot], link(world, "ann", ANN), looked=True).steps
    assert isinstance(step, AddEntry)


def test_entry_renamed_by_hand_gets_its_name_back_where_it_is() -> None:
    world = World()
    world.user("ann")
    moved = f"uid=annie,ou=elsewhere,{PEOPLE}"
    there = entry(moved, "ann", **held(world, uid=["annie"]))
    done = plan([world.snapshot(world.id("ann"))], link(world, "ann", ANN), there)
    assert f"dn: {moved}\nchangetype: modrdn\nnewrdn: uid=ann@example.com\n" in str(done)


def test_observed_group_converges_whatever_it_holds() -> None:
    world = World()
    links: dict[str, Link] = {}
    for handle in ("ann", "bob"):
        world.user(handle)
        links |= link(world, handle, f"uid={handle},{PEOPLE}")
    world.group("sales", "ann", "bob")
    there = entry(
        SALES, "sales",
        objectClass=["groupOfNames", "labeledURIObject"], cn=["sales"],
        labeledURI=[f"urn:uuid:{world.id('sales')}"],
        member=[f"UID=Ann,  {PEOPLE.upper()}", f"uid=else,{PEOPLE}", SALES],
    )  # fmt: skip
    done = plan([world.snapshot(world.id("sales"))], links | link(world, "sales", SALES), there)
    (step,) = done.steps
    assert isinstance(step, ModifyMembers)
    assert step.added == (f"uid=bob,{PEOPLE}",)
    assert set(step.removed) == {f"uid=else,{PEOPLE}", SALES}


# --- Whose it is --------------------------------------------------------------------------------


def test_entry_with_our_anchor_is_linked_wherever_it_is() -> None:
    world = World()
    world.user("ann")
    there = entry(f"uid=old,{PEOPLE}", "ann", **held(world, uid=["old"]))
    done = plan([world.snapshot(world.id("ann"))], {}, there)
    assert "found and linked" in str(done)
    assert "newrdn: uid=ann@example.com" in str(done)


def test_entry_of_our_account_without_any_anchor_is_linked() -> None:
    world = World()
    world.user("ann")
    there = entry(ANN, "ann", **held(world, labeledURI=[], creatorsName=[BRIDGE.upper()]))
    assert "found and linked" in str(plan([world.snapshot(world.id("ann"))], {}, there))


def test_entry_of_others_is_parked_and_never_touched() -> None:
    world = World()
    world.user("ann")
    there = entry(ANN, "ann", **held(world, labeledURI=[]))
    with pytest.raises(Park, match="not made by the bridge") as parked:
        plan([world.snapshot(world.id("ann"))], {}, there)
    assert parked.value.next_step


def test_entry_of_another_resource_is_waited_for() -> None:
    world = World()
    world.user("ann")
    ours = held(world, creatorsName=[BRIDGE])
    another = entry(ANN, "ann", **{**ours, "labeledURI": ["urn:uuid:else"]})
    with pytest.raises(RetryLater, match="another resource"):
        plan([world.snapshot(world.id("ann"))], {}, another)
    linked = {"else": Link("else", "uuid-of-ann", ANN)}
    with pytest.raises(RetryLater, match="another resource"):
        plan([world.snapshot(world.id("ann"))], linked, entry(ANN, "ann", **ours))


def test_deleting_never_touches_an_entry_of_others() -> None:
    world = World()
    world.user("ann")
    world.delete("ann")
    there = entry(ANN, "ann", uid=["ann@example.com"])
    assert plan([world.snapshot(world.id("ann"))], {}, there).steps == ()
    assert plan([world.snapshot(world.id("ann"))], {}, looked=True).steps == ()
