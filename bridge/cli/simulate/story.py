"""One day of an Okta admin, played with either shape of app, and what must be true at its end.

Rule: it can be played again on the same bridge; names are looked up and linked, as Okta does.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from bridge.cli.simulate.okta import App, Document, Person, Unexpected


@attrs.frozen
class Outcome:
    """A resource at the end of the day."""

    type: str
    id: str
    name: str


def play(app: App, domain: str, group: str) -> list[Outcome]:
    """Assign, push, change, deactivate and reassign; return the resources that are left.

    Raises Unexpected at the first answer that Okta would not accept, or when the bridge does not
    hold at the end what was sent.
    """
    ann, bob, cay = (
        Person(f"00u{given.lower()}{domain.replace('.', '')}", given, family, domain)
        for given, family in (("Ann", "Lee"), ("Bob", "Moss"), ("Cay", "Nash"))
    )
    app.test_connector()
    ids = {person: app.assign(person) for person in (ann, bob, cay)}

    def member(person: Person) -> tuple[str, str]:
        return ids[person], person.user_name

    app.rename(ids[ann], "Lee-Hart")
    group_id = app.push_group(group, [member(ann), member(bob)])
    app.move(group_id, group, come=member(cay), go=member(bob))
    app.rename_group(group_id, f"{group} Europe")
    app.unassign(ids[bob])
    app.unassign(ids[cay])
    again = app.assign(cay)
    if again != ids[cay]:
        raise Unexpected(f"{app.name}: reassigning {cay.user_name} made a second account")
    app.rename_group(group_id, group)

    users = _by_id(app.import_all("/Users"))
    groups = _by_id(app.import_all("/Groups"))
    for person, family, active in (
        (ann, "Lee-Hart", True),
        (bob, "Moss", False),
        (cay, "Nash", True),
    ):
        _compare(
            f"{app.name}: {person.user_name}",
            (users[ids[person]]["name"]["familyName"], users[ids[person]]["active"]),
            (family, active),
        )
    members = {one["value"] for one in groups[group_id].get("members", [])}
    _compare(f"{app.name}: members of {group}", members, {ids[ann], ids[cay]})
    return [
        *(Outcome("User", ids[person], person.user_name) for person in (ann, bob, cay)),
        Outcome("Group", group_id, group),
    ]


def _by_id(resources: Iterable[Document]) -> dict[str, Document]:
    return {str(resource["id"]): resource for resource in resources}


def _compare(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise Unexpected(f"{what}: the bridge holds {found}, expected {expected}")
