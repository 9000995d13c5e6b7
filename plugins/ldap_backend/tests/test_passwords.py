"""Passwords on a real OpenLDAP: set by the password modify operation, never shown, refused once."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from bridge.plugin import Park, Secret, Surprise
from bridge.testing import World
from bridge_ldap.plugin import LDAP, LdapBackend
from plugins.ldap_backend.tests.desk import Desk, make_units, settings_for
from plugins.ldap_backend.tests.plans import ANN, link, plan, settings
from tests.containers import Launch

OpenDesk = Callable[..., Desk]

TAKES: dict[str, Any] = {"passwords": "extended"}
FIRST, SECOND = Secret("first-Ünïcødé-password"), Secret("second, longer password")


def may_log_in(desk: Desk, handle: str, password: Secret) -> bool:
    bind = ("-x", "-H", desk.directory.tools_uri, "-D", desk.name(handle), "-w", password.reveal())
    return desk.directory.server.run("ldapwhoami", *bind).returncode == 0


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    return open_desk(users=TAKES)


@pytest.fixture
def with_policy(start_openldap: Launch) -> Iterator[Desk]:
    """A directory that wants twelve characters and none of the last three passwords."""
    policy = "cn=policy,dc=example,dc=org"
    directory = start_openldap(
        extra=f'moduleload ppolicy\noverlay ppolicy\nppolicy_default "{policy}"\n'
    )
    make_units(directory)
    directory.load(
        f"dn: {policy}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: policy\n"
        "pwdAttribute: userPassword\npwdCheckQuality: 2\npwdMinLength: 12\npwdInHistory: 3\n"
    )
    backend = LdapBackend(settings_for(directory, users=TAKES))
    yield Desk(directory, backend)
    backend.close()


def test_person_logs_in_with_the_password_of_the_identity_provider(desk: Desk) -> None:
    desk.carry(desk.world.user("ann", password=FIRST))
    assert may_log_in(desk, "ann", FIRST)
    assert not may_log_in(desk, "ann", SECOND)
    desk.carry(desk.world.password("ann", SECOND))
    assert may_log_in(desk, "ann", SECOND)
    assert not may_log_in(desk, "ann", FIRST)
    desk.carry(desk.world.update("ann", title="Lead"))
    assert may_log_in(desk, "ann", SECOND)


def test_password_is_hashed_by_the_server(desk: Desk) -> None:
    desk.carry(desk.world.user("ann", password=FIRST))
    (stored,) = desk.entry("ann", "userPassword")["userPassword"]
    assert stored.startswith("{SSHA}")


def test_rename_and_password_in_one_change_reach_the_renamed_entry(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.update("ann", userName="eve"), desk.world.password("ann", FIRST))
    assert desk.name("ann").startswith("uid=eve,")
    assert may_log_in(desk, "ann", FIRST)


def test_newest_of_several_waiting_passwords_is_set(desk: Desk) -> None:
    desk.carry(
        desk.world.user("ann", password=FIRST),
        desk.world.password("ann", SECOND),
        desk.world.update("ann", title="Lead"),
    )
    assert may_log_in(desk, "ann", SECOND)


def test_password_goes_to_no_other_entry_of_that_name(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    name = desk.name("ann")
    planned = desk.backend.plan([desk.world.password("ann", FIRST)], desk.links)
    desk.directory.tool("ldapdelete", name)
    desk.directory.load(f"dn: {name}\nobjectClass: inetOrgPerson\ncn: x\nsn: x\nuid: ann\n")
    with pytest.raises(Surprise):
        desk.backend.execute(planned)
    assert not may_log_in(desk, "ann", FIRST)


def test_19_refused_password_parks_at_once_and_says_why(with_policy: Desk) -> None:
    desk, short = with_policy, Secret("too-Sh0rt")
    desk.carry(desk.world.user("ann"))
    with desk.counting() as seen, pytest.raises(Park) as parked:
        desk.carry(desk.world.password("ann", short))
    assert sum(what.startswith("set password") for what in seen) == 1
    assert "constraintViolation (19)" in parked.value.reason
    assert "skip" in parked.value.next_step
    assert short.reveal() not in f"{parked.value} {parked.value.next_step}"
    assert not may_log_in(desk, "ann", short)


def test_19_refused_password_of_a_new_person_leaves_the_entry_linked(with_policy: Desk) -> None:
    desk = with_policy
    created = desk.world.user("ann", password=Secret("too-Sh0rt"))
    with pytest.raises(Park) as parked:
        desk.carry(created)
    (known,) = parked.value.links
    assert known.resource_id == created.entity.id
    desk.links[known.resource_id] = known
    desk.carry(desk.world.group("sales", "ann"))
    assert desk.entry("sales")["member"] == (known.name,)
    desk.carry(desk.world.password("ann", FIRST))
    assert may_log_in(desk, "ann", FIRST)


def test_refusal_that_quotes_the_password_is_not_repeated(
    with_policy: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = with_policy
    desk.carry(desk.world.user("ann"))
    client = desk.backend._client
    exchange, quoted = client._exchange, Secret("sh0rt")

    def quoting(*arguments: Any, **named: Any) -> Any:
        reply = exchange(*arguments, **named)
        return attrs.evolve(reply, message=f"{quoted.reveal()} is too short")

    monkeypatch.setattr(client, "_exchange", quoting)
    with pytest.raises(Park, match=r"\*\*\* is too short") as parked:
        desk.carry(desk.world.password("ann", quoted))
    assert quoted.reveal() not in repr(parked.value)


@pytest.mark.parametrize(("passwords", "taken"), {"no": False, "extended": True}.items())
def test_only_a_directory_that_is_told_to_takes_passwords(passwords: str, taken: bool) -> None:
    assert LDAP.takes_passwords(settings(users={"passwords": passwords})) is taken
    world = World()
    world.user("ann")
    change = world.password("ann", FIRST)
    planned = plan([change], link(world, "ann", ANN), users={"passwords": passwords})
    text = f"# password modify (RFC 3062) of {ANN}: ***\n"
    assert str(planned) == (text if taken else "")
    assert FIRST.reveal() not in repr(planned)


def test_check_says_how_passwords_are_set(desk: Desk, open_desk: OpenDesk) -> None:
    (finding,) = (f for f in desk.backend.check() if f.code == "BRG-LDAP-034")
    assert finding.ok
    assert "BRG-LDAP-034" not in {f.code for f in open_desk().backend.check()}
