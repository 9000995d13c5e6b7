"""Every step on a real OpenLDAP: done once, done again, raced.

The tests named after a result code are the OpenLDAP column of the table in the README.
"""

from collections.abc import Callable

import pytest

from bridge.plugin import BackendDown, Link, Park, Plan, RetryLater, Surprise
from bridge_ldap.steps import ModifyEntry
from plugins.ldap_backend.tests.desk import Desk, desk_on, make_units
from tests.containers import Launch

OpenDesk = Callable[..., Desk]


def by_hand(desk: Desk, ldif: str) -> None:
    """Change the directory behind the bridge's back. `BASE` stands for its base DN."""
    desk.directory.load(ldif.replace("BASE", desk.directory.base_dn))


def stranger(desk: Desk, uid: str = "ann@example.com") -> str:
    """Add an entry that is not the bridge's where Ann belongs."""
    by_hand(
        desk,
        f"dn: uid={uid},ou=people,BASE\nobjectClass: inetOrgPerson\nuid: {uid}\n"
        "cn: Stranger\nsn: Stranger\n",
    )
    return f"uid={uid},ou=people,{desk.directory.base_dn}"


def forget(desk: Desk, handle: str) -> None:
    """Lose a link, as when the answer to an add never arrived."""
    del desk.links[desk.world.id(handle)]


# --- 68 entryAlreadyExists ----------------------------------------------------------------------


def test_68_our_own_lost_add_is_linked_and_brought_up_to_date(desk: Desk) -> None:
    created = desk.world.user("ann")
    desk.carry(created)
    identity = desk.links.pop(created.entity.id)
    updated = desk.world.update("ann", title="Lead")
    desk.carry(created, updated)
    assert desk.links[created.entity.id] == identity
    assert desk.entry("ann")["title"] == ("Lead",)


def test_68_lost_add_is_found_under_the_name_of_that_time(desk: Desk) -> None:
    created = desk.world.user("ann")
    desk.carry(created)
    identity = desk.links.pop(created.entity.id).target_id
    desk.carry(created, desk.world.update("ann", userName="eve"))
    assert desk.links[created.entity.id].target_id == identity
    assert len(desk.directory.search("(objectClass=inetOrgPerson)")) == 1
    assert desk.entry("ann")["uid"] == ("eve",)


def test_68_lost_add_of_a_group_gets_the_members_of_now(desk: Desk) -> None:
    for handle in ("ann", "bob"):
        desk.carry(desk.world.user(handle))
    created = desk.world.group("sales", "ann")
    desk.carry(created)
    forget(desk, "sales")
    desk.carry(created, desk.world.members("sales", add=["bob"], remove=["ann"]))
    assert desk.entry("sales")["member"] == (desk.name("bob"),)


def test_68_entry_of_others_parks_and_stays_as_it_is(desk: Desk) -> None:
    name = stranger(desk)
    before = desk.directory.search(base=name, attributes=("*", "+"))
    with pytest.raises(Park, match="not made by the bridge") as parked:
        desk.carry(desk.world.user("ann"))
    assert parked.value.next_step
    assert desk.directory.search(base=name, attributes=("*", "+")) == before


def test_68_entry_of_another_resource_is_waited_for(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    with pytest.raises(RetryLater, match="another resource"):
        desk.carry(desk.world.user("eve", userName="ann@example.com"))


def test_68_rename_onto_a_taken_name(desk: Desk) -> None:
    for handle in ("ann", "bob"):
        desk.carry(desk.world.user(handle))
    with pytest.raises(RetryLater, match="another resource"):
        desk.carry(desk.world.update("ann", userName="bob@example.com"))
    stranger(desk, "eve")
    with pytest.raises(Park, match="not made by the bridge"):
        desk.carry(desk.world.update("bob", userName="eve"))


def test_entry_that_was_added_keeps_its_link_when_a_later_step_is_refused(desk: Desk) -> None:
    for handle in ("ann", "bob"):
        desk.carry(desk.world.user(handle))
    created = desk.world.group("sales", "ann")
    (add,) = desk.backend.plan([created], desk.links).steps
    refused = ModifyEntry(f"cn=sales,ou=groups,{desk.directory.base_dn}", "", {"nonsense": ("x",)})
    with pytest.raises(Park) as parked:
        desk.backend.execute(Plan(created.entity, 1, (add, refused)))
    (link,) = parked.value.links
    assert link.resource_id == created.entity.id
    assert link.name == refused.dn


# --- 20 attributeOrValueExists, 16 noSuchAttribute ------------------------------------------------


def test_20_and_16_members_that_are_there_or_gone_already_count_as_done(desk: Desk) -> None:
    for handle in ("ann", "bob", "eve", "joe"):
        desk.carry(desk.world.user(handle))
    desk.carry(desk.world.group("sales", "ann", "bob"))
    sales, ann, eve = desk.name("sales"), desk.name("ann"), desk.name("eve")
    by_hand(
        desk, f"dn: {sales}\nchangetype: modify\nadd: member\nmember: {eve}\n-\n"
        f"delete: member\nmember: {ann}\n"
    )  # fmt: skip
    change = desk.world.members("sales", add=["eve", "joe"], remove=["ann", "bob"])
    with desk.counting() as exchanges:
        assert not desk.carry(change).already
    assert sorted(desk.entry("sales")["member"]) == sorted([eve, desk.name("joe")])
    assert len(exchanges) == 6, "one refusal, one question for each value, one modify"


def test_20_and_16_nothing_left_to_do_is_already(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.user("bob"))
    desk.carry(desk.world.group("sales", "bob"))
    change = desk.world.members("sales", add=["ann"])
    plan = desk.backend.plan([change], desk.links)
    assert not desk.backend.execute(plan).already
    assert desk.backend.execute(plan).already


def test_20_member_in_another_spelling_is_the_same_member(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.user("bob"))
    desk.carry(desk.world.group("sales", "bob"))
    ann = desk.name("ann").upper().replace(",", " , ")
    by_hand(desk, f"dn: {desk.name('sales')}\nchangetype: modify\nadd: member\nmember: {ann}\n")
    assert desk.carry(desk.world.members("sales", add=["ann"])).already


def test_20_and_16_of_many_values_the_attribute_is_read_once(desk: Desk) -> None:
    people = [f"user-{n:03}" for n in range(120)]
    for handle in people:
        id_ = desk.world.user(handle).entity.id
        desk.links[id_] = Link(id_, id_, f"uid={handle},ou=people,{desk.directory.base_dn}")
    desk.carry(desk.world.group("sales", *people[:60]))
    by_hand(
        desk,
        f"dn: {desk.name('sales')}\nchangetype: modify\nadd: member\n"
        f"member: {desk.links[desk.world.id(people[60])].name}\n",
    )
    with desk.counting() as exchanges:
        desk.carry(desk.world.members("sales", add=people[60:]))
    assert len(exchanges) == 3
    assert len(desk.entry("sales")["member"]) == 120


def test_16_replacing_an_absent_attribute_with_nothing_succeeds(desk: Desk) -> None:
    desk.carry(desk.world.user("ann", title="Lead"))
    change = desk.world.update("ann", title="")
    plan = desk.backend.plan([change], desk.links)
    for _ in range(2):
        desk.backend.execute(plan)
    assert "title" not in desk.entry("ann")


# --- 65 objectClassViolation: groups that want a member -------------------------------------------


def test_65_an_emptied_group_keeps_a_placeholder_only_while_it_is_empty(desk: Desk) -> None:
    for handle in ("ann", "bob"):
        desk.carry(desk.world.user(handle))
    desk.carry(desk.world.group("sales", "ann"))
    for _ in range(2):
        desk.carry(desk.world.members("sales", remove=["ann"]))
        assert desk.entry("sales")["member"] == (desk.name("sales"),)
        desk.carry(desk.world.members("sales", add=["ann"]))
        assert desk.entry("sales")["member"] == (desk.name("ann"),)


def test_65_an_empty_group_that_is_renamed_takes_its_placeholder_along(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.group("sales"))
    desk.carry(desk.world.update("sales", displayName="Sales, Europe"))
    assert desk.entry("sales")["member"][0].startswith("cn=Sales\\2C Europe,")
    desk.carry(desk.world.members("sales", add=["ann"]))
    assert desk.entry("sales")["member"] == (desk.name("ann"),)


def test_65_a_configured_placeholder(open_desk: OpenDesk) -> None:
    desk = open_desk(groups={"empty_member": "cn=nobody,dc=example,dc=org"})
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.group("sales"))
    assert desk.entry("sales")["member"] == ("cn=nobody,dc=example,dc=org",)
    desk.carry(desk.world.members("sales", add=["ann"]))
    assert desk.entry("sales")["member"] == (desk.name("ann"),)


def test_65_without_a_placeholder_is_parked(open_desk: OpenDesk) -> None:
    desk = open_desk(groups={"empty_member": "none"})
    with pytest.raises(Park, match="objectClassViolation"):
        desk.carry(desk.world.group("sales"))


# --- 32 noSuchObject, 122 assertionFailed ---------------------------------------------------------


def test_32_an_entry_moved_by_hand_is_found_again(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    by_hand(
        desk,
        "dn: ou=sales,ou=people,BASE\nobjectClass: organizationalUnit\n\n"
        f"dn: {desk.name('ann')}\nchangetype: modrdn\nnewrdn: uid=annie\ndeleteoldrdn: 1\n"
        "newsuperior: ou=sales,ou=people,BASE\n",
    )
    desk.carry(desk.world.update("ann", title="Lead"))
    assert desk.name("ann") == f"uid=ann@example.com,ou=sales,ou=people,{desk.directory.base_dn}"
    assert desk.entry("ann")["title"] == ("Lead",)
    by_hand(desk, f"dn: {desk.name('ann')}\nchangetype: modrdn\nnewrdn: uid=a\ndeleteoldrdn: 1\n")
    for change in desk.world.delete("ann"):
        desk.carry(change)
    assert desk.directory.search("(objectClass=inetOrgPerson)") == {}


def test_32_a_rename_done_again_is_done(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.group("sales", "ann"))
    plan = desk.backend.plan([desk.world.update("ann", userName="eve")], desk.links)
    first = desk.backend.execute(plan)
    again = desk.backend.execute(plan)
    assert again.links == first.links
    assert again.already
    assert desk.entry("sales")["member"] == (f"uid=eve,ou=people,{desk.directory.base_dn}",)


def test_32_a_deletion_done_again_is_done(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    plan = desk.backend.plan(desk.world.delete("ann"), desk.links)
    assert not desk.backend.execute(plan).already
    assert desk.backend.execute(plan).already


def test_32_no_base_is_the_directory_s_trouble_not_the_change_s(open_desk: OpenDesk) -> None:
    desk = open_desk(users={"base_dn": "ou=nowhere,dc=example,dc=org"})
    with pytest.raises(BackendDown, match="ou=nowhere,dc=example,dc=org does not exist"):
        desk.carry(desk.world.user("ann"))


def test_122_another_entry_at_our_name_is_never_written(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    desk.directory.tool("ldapdelete", desk.name("ann"))
    name = stranger(desk)
    before = desk.directory.search(base=name)
    for change in (desk.world.update("ann", title="Lead"), desk.world.update("ann", userName="x")):
        plan = desk.backend.plan([change], desk.links)
        with pytest.raises(Surprise):
            desk.backend.execute(plan)
    desk.backend.execute(desk.backend.plan(desk.world.delete("ann"), desk.links))
    assert desk.directory.search(base=name) == before


# --- References -----------------------------------------------------------------------------------


def test_without_refint_the_bridge_mends_members_itself(desk: Desk) -> None:
    for handle in ("ann", "bob"):
        desk.carry(desk.world.user(handle))
    desk.carry(desk.world.group("sales", "ann"))
    desk.carry(desk.world.group("support", "ann", "bob"))
    desk.carry(desk.world.update("ann", userName="eve"))
    eve = f"uid=eve,ou=people,{desk.directory.base_dn}"
    assert desk.entry("sales")["member"] == (eve,)
    assert sorted(desk.entry("support")["member"]) == sorted([eve, desk.name("bob")])
    deleted, *_ = desk.world.delete("ann")
    desk.carry(deleted)
    assert desk.entry("sales")["member"] == (desk.name("sales"),)
    assert desk.entry("support")["member"] == (desk.name("bob"),)


def test_with_refint_the_deleted_last_member_is_taken_out_too(start_openldap: Launch) -> None:
    directory = start_openldap(extra="overlay refint\nrefint_attributes member\n")
    make_units(directory)
    desk = desk_on(directory, referential_integrity=True)
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.group("sales", "ann"))
    with desk.counting() as exchanges:
        desk.carry(desk.world.update("ann", userName="eve"))
    assert len(exchanges) == 1
    for change in desk.world.delete("ann"):
        desk.carry(change)
    assert desk.entry("sales")["member"] == (desk.name("sales"),)
    desk.backend.close()
