"""What is `returned: never` is not passed on, wherever it stands in a document."""

from typing import Any

import attrs

from bridge.core.schema import (
    GROUP,
    STANDARD,
    USER,
    Attribute,
    Extension,
    Registry,
    ResourceType,
    Returned,
    Schema,
    Type,
)
from bridge.core.schema.disclosure import disclosed
from bridge.plugin import ChangeRecord, Entity, Level, Secret
from bridge.testing import World

HIDDEN = "4711-canary"
PIN = Attribute("pin", returned=Returned.NEVER)
BADGE = Attribute(
    "badges",
    Type.COMPLEX,
    multi_valued=True,
    sub_attributes=(Attribute("value"), PIN),
)
ONLY_HIDDEN = Attribute("vault", Type.COMPLEX, sub_attributes=(PIN,))
ATTRIBUTES = (Attribute("label"), PIN, BADGE, ONLY_HIDDEN)
DEVICE = ResourceType("Device", "/Devices", Schema("urn:x:Device", "Device", ATTRIBUTES))
BADGED = Schema("urn:x:Badged", "Badged", ATTRIBUTES)
REGISTRY = Registry((attrs.evolve(USER, extensions=(Extension(BADGED),)), GROUP, DEVICE))

DOCUMENT = {
    "label": "kept",
    "pin": HIDDEN,
    "badges": [{"value": "kept", "pin": HIDDEN}],
    "vault": {"pin": HIDDEN},
}
SHOWN = {"label": "kept", "badges": [{"value": "kept"}]}


def of(kind: str, change: ChangeRecord) -> ChangeRecord:
    entity = Entity(change.entity.organization, kind, change.entity.id)
    return attrs.evolve(change, entity=entity, before=DOCUMENT, after=DOCUMENT)


def test_custom_types_are_told_without_it() -> None:
    told = disclosed(REGISTRY, of("Device", World().user("ann")))
    assert told.before == told.after == SHOWN


def test_extensions_are_told_without_it() -> None:
    badged: dict[str, Any] = {BADGED.id: DOCUMENT}
    change = World().user("ann", **badged)
    told = disclosed(REGISTRY, change)
    assert told.after is not None
    assert told.after[BADGED.id] == SHOWN
    assert told.after["userName"] == "ann@example.com"
    assert HIDDEN not in repr(told)


def test_a_change_of_hidden_values_only_is_a_change_of_nothing() -> None:
    world = World()
    before: dict[str, Any] = {BADGED.id: {"label": "kept", "pin": "before"}}
    world.user("ann", **before)
    told = disclosed(REGISTRY, world.update("ann", **{BADGED.id: {"label": "kept", "pin": HIDDEN}}))
    assert told.changed == frozenset()
    assert told.version == 2


def test_a_type_that_is_not_known_any_more_is_told_without_attributes() -> None:
    told = disclosed(STANDARD, of("Device", World().user("ann")))
    assert told.before == told.after == {}


def test_a_password_is_never_told() -> None:
    told = disclosed(STANDARD, World().user("ann", password=Secret(HIDDEN)))
    assert told.password is None


def test_what_hides_nothing_is_passed_on_as_it_is() -> None:
    world = World()
    world.workspace("crm")
    changes: list[Any] = [
        world.user("ann"),
        world.group("sales", "ann"),
        world.access("crm", {"ann": Level.EDIT}),
    ]
    for change in changes:
        assert disclosed(STANDARD, change) == change
