"""Managers as DNs: who comes later is filled in, who moves is followed, and nobody is held up."""

from collections.abc import Callable
from typing import Any

import pytest

from bridge.plugin import Receipt
from bridge_ldap.sections import ENTERPRISE
from plugins.ldap_backend.tests.desk import Desk
from plugins.ldap_backend.tests.test_lifecycle import in_sync

OpenDesk = Callable[..., Desk]


def managed_by(desk: Desk, handle: str) -> dict[str, Any]:
    return {ENTERPRISE: {"manager": {"value": desk.world.id(handle)}}}


def hire(desk: Desk, handle: str, manager: str) -> Receipt:
    return desk.carry(desk.world.user(handle, **managed_by(desk, manager)))


def test_person_is_written_before_the_manager_is_there(desk: Desk) -> None:
    receipt = hire(desk, "ann", "boss")
    assert receipt.awaited == {desk.world.id("boss")}
    assert "manager" not in desk.entry("ann")
    waiting = desk.settle(desk.world.id("ann"))
    assert waiting.awaited == receipt.awaited
    desk.carry(desk.world.user("boss"))
    assert not desk.settle(desk.world.id("ann")).awaited
    assert desk.entry("ann")["manager"] == (desk.name("boss"),)
    assert in_sync(desk)


def test_two_who_manage_each_other_do_not_wait_for_ever(desk: Desk) -> None:
    hire(desk, "ann", "bob")
    assert not hire(desk, "bob", "ann").awaited
    assert not desk.settle(desk.world.id("ann")).awaited
    assert desk.entry("ann")["manager"] == (desk.name("bob"),)
    assert desk.entry("bob")["manager"] == (desk.name("ann"),)


def test_change_to_a_manager_who_is_not_there_leaves_the_old_one(desk: Desk) -> None:
    desk.carry(desk.world.user("boss"))
    assert not hire(desk, "ann", "boss").awaited
    change = desk.world.update("ann", title="Lead", **managed_by(desk, "chief"))
    assert desk.carry(change).awaited == {desk.world.id("chief")}
    assert desk.entry("ann")["title"] == ("Lead",)
    assert desk.entry("ann")["manager"] == (desk.name("boss"),)
    desk.carry(desk.world.user("chief"))
    desk.settle(desk.world.id("ann"))
    assert desk.entry("ann")["manager"] == (desk.name("chief"),)


def test_manager_who_is_renamed_and_leaves_is_followed(desk: Desk) -> None:
    desk.carry(desk.world.user("boss"))
    hire(desk, "ann", "boss")
    desk.carry(desk.world.update("boss", userName="chief"))
    assert desk.entry("ann")["manager"] == (desk.name("boss"),)
    for change in desk.world.delete("boss"):
        desk.carry(change)
    assert "manager" not in desk.entry("ann")


@pytest.mark.parametrize("value", ["boss@example.com", "4711", "Boss"])
def test_manager_that_is_no_id_is_passed_over(desk: Desk, value: str) -> None:
    enterprise: dict[str, Any] = {ENTERPRISE: {"manager": {"value": value}}}
    assert not desk.carry(desk.world.user("ann", **enterprise)).awaited
    assert "manager" not in desk.entry("ann")
