"""What the LDAP backend adds to ldap3: the same operations on the same OpenLDAP, side by side.

    python -m bench.ldap [--people 800]

The floor is ldap3 itself: as many connections, one thread each, the same adds, modifies and
deletions, with the controls that make an answer complete (post-read) and a write safe (assertion).
Ours is plan and execute. Both run alternately on one server, started for it.

Rule: every figure stands beside its floor of the same run; groups also show their operations.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import ldap3
from ldap3.operation.search import compile_filter, parse_filter
from ldap3.protocol.rfc4527 import post_read_control
from ldap3.utils.asn1 import encode  # type: ignore[attr-defined]

from bridge.plugin import ChangeRecord, Link, Secret
from bridge.testing import World
from bridge_ldap.answers import ASSERTION
from bridge_ldap.plugin import LdapBackend
from bridge_ldap.sections import Groups, Users
from bridge_ldap.settings import Settings
from tests.openldap import OpenLDAP, Unavailable, container, local

SLOTS = (1, 8)
ROUNDS = 3
GROUPS = (10, 100_000)
TURNS = 20
MUST = 0.9

Cost = tuple[float, float]
"""Seconds on the clock, and seconds of this process's CPU."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=400, help="people in each round")
    parser.add_argument("--groups", type=int, nargs="+", default=GROUPS, help="sizes of groups")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as directory:
        units = (f"ou={name},{directory.base_dn}" for name in ("people", "groups"))
        directory.load("\n".join(f"dn: {u}\nobjectClass: organizationalUnit\n" for u in units))
        print(
            f"{'':24}{'ldap3 /s':>10}{'ours /s':>10}{'ratio':>7} (must {MUST})"
            f"{'ldap3 CPU ms':>14}{'ours CPU ms':>13}"
        )
        for slots in SLOTS:
            rates(directory, arguments.people, slots)
        print(f"\n{'group of':>10}{'add one, ms':>14}{'remove one, ms':>16}{'operations':>12}")
        for size in arguments.groups:
            one_member(directory, size)


@contextmanager
def started(folder: Path) -> Iterator[OpenLDAP]:
    """Start an OpenLDAP: a container, else this machine's slapd."""
    with ExitStack() as running:
        try:
            yield running.enter_context(container(folder))
        except Unavailable:
            yield running.enter_context(local(folder))


def settings(directory: OpenLDAP) -> Settings:
    return Settings(
        uris=(directory.uri,),
        insecure=True,
        bind_dn=directory.bind_dn,
        bind_password=Secret(directory.bind_password),
        operation_seconds=60,
        referential_integrity=True,  # no searches for groups: one operation for one change
        users=Users(base_dn=f"ou=people,{directory.base_dn}"),
        groups=Groups(base_dn=f"ou=groups,{directory.base_dn}"),
    )


def rates(directory: OpenLDAP, people: int, slots: int) -> None:
    """Print seconds and CPU of both, the median of the rounds."""
    seen: dict[tuple[str, str], list[Cost]] = {}
    for _ in range(ROUNDS):
        for who, round_ in (("ldap3", floor_round), ("ours", our_round)):
            for name, cost in round_(directory, people, slots):
                seen.setdefault((name, who), []).append(cost)
    for name in ("add", "modify", "delete"):
        (floor, floor_cpu), (own, own_cpu) = (
            map(median, zip(*seen[name, who], strict=True)) for who in ("ldap3", "ours")
        )
        print(
            f"{name}, {slots} connection{'s' * (slots > 1)}".ljust(24)
            + f"{people / floor:10.0f}{people / own:10.0f}{floor / own:7.2f}{'':11}"
            + f"{1000 * floor_cpu / people:14.2f}{1000 * own_cpu / people:13.2f}"
        )


def timed(work: Sequence[Callable[[], None]]) -> Cost:
    """Run the parts side by side and return what it took."""
    started_at, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(len(work)) as pool:
        for done in [pool.submit(part) for part in work]:
            done.result()
    return time.perf_counter() - started_at, time.process_time() - cpu


def our_round(directory: OpenLDAP, people: int, slots: int) -> Iterator[tuple[str, Cost]]:
    world, links = World(), dict[str, Link]()
    backends = [LdapBackend(settings(directory)) for _ in range(slots)]
    for backend in backends:
        backend.check()  # connects

    def carried(changes: Sequence[ChangeRecord]) -> Cost:
        def part(slot: int) -> None:
            for change in changes[slot::slots]:
                plan = backends[slot].plan([change], links)
                for link in backends[slot].execute(plan).links:
                    links[link.resource_id] = link

        return timed([lambda slot=slot: part(slot) for slot in range(slots)])  # type: ignore[misc]

    names = [f"user-{n}" for n in range(people)]
    yield "add", carried([world.user(name) for name in names])
    yield "modify", carried([world.update(name, title="Lead") for name in names])
    yield "delete", carried([world.delete(name)[0] for name in names])
    for backend in backends:
        backend.close()


def floor_connection(directory: OpenLDAP) -> ldap3.Connection:
    return ldap3.Connection(
        ldap3.Server(directory.uri, get_info=ldap3.NONE),
        directory.bind_dn,
        directory.bind_password,
        client_strategy=ldap3.SAFE_SYNC,
        auto_bind=True,
        check_names=False,
    )


def floor_round(directory: OpenLDAP, people: int, slots: int) -> Iterator[tuple[str, Cost]]:
    base = f"ou=people,{directory.base_dn}"
    connections = [floor_connection(directory) for _ in range(slots)]
    known: dict[int, str] = {}

    def add(connection: ldap3.Connection, n: int) -> None:
        mail = f"user-{n}@example.com".encode()
        attributes = {
            "objectClass": [b"inetOrgPerson"],
            "uid": [mail],
            "cn": [b"User 1"],
            "sn": [b"1"],
            "givenName": [b"User"],
            "displayName": [b"User 1"],
            "mail": [mail],
            "labeledURI": [b"urn:uuid:5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01"],
        }
        shown = [post_read_control(["entryUUID"])]
        _, result, _, _ = connection.add(f"uid={mail.decode()},{base}", None, attributes, shown)
        control = result["controls"]["1.3.6.1.1.13.2"]
        known[n] = control["value"]["result"]["entryUUID"][0]

    def guard(n: int) -> list[tuple[str, bool, bytes]]:
        node = parse_filter(f"(entryUUID={known[n]})", None, False, False, None, False)
        return [(ASSERTION, True, encode(compile_filter(node.elements[0])))]

    def modify(connection: ldap3.Connection, n: int) -> None:
        name = f"uid=user-{n}@example.com,{base}"
        changes = {"title": [(ldap3.MODIFY_REPLACE, [b"Lead"])]}
        succeeded(connection.modify(name, changes, guard(n)))

    def delete(connection: ldap3.Connection, n: int) -> None:
        succeeded(connection.delete(f"uid=user-{n}@example.com,{base}", guard(n)))

    for operation in (add, modify, delete):

        def part(slot: int, do: Callable[[ldap3.Connection, int], None] = operation) -> None:
            for n in range(slot, people, slots):
                do(connections[slot], n)

        taken = timed([lambda slot=slot: part(slot) for slot in range(slots)])  # type: ignore[misc]
        yield operation.__name__, taken
    for connection in connections:
        connection.unbind()


def succeeded(outcome: Any) -> None:
    if not outcome[0]:
        raise SystemExit(f"ldap3: {outcome[1]}")


@contextmanager
def counting() -> Iterator[list[str]]:
    """Note every operation that any connection does, by its name."""
    seen: list[str] = []

    def noting(name: str, do: Any) -> Any:
        def noted(*arguments: Any, **named: Any) -> Any:
            seen.append(name)
            return do(*arguments, **named)

        return noted

    operations = {
        name: getattr(ldap3.Connection, name)
        for name in ("bind", "add", "modify", "modify_dn", "delete", "search", "extended")
    }
    for name, do in operations.items():
        setattr(ldap3.Connection, name, noting(name, do))
    yield seen
    for name, do in operations.items():
        setattr(ldap3.Connection, name, do)


def one_member(directory: OpenLDAP, size: int) -> None:
    """Time one member more and one less in a group of `size`; count the operations."""
    world, links = World(), dict[str, Link]()
    backend = LdapBackend(settings(directory))
    handles = [f"user-{n}" for n in range(size + 1)]
    for handle in handles:
        id_ = world.user(handle).entity.id
        links[id_] = Link(id_, id_, f"uid={handle},ou=people,{directory.base_dn}")
    group = world.group("group", *handles[:-1], name=f"group of {size}")
    links |= {
        link.resource_id: link for link in backend.execute(backend.plan([group], links)).links
    }
    times: dict[str, list[float]] = {"add": [], "remove": []}
    with counting() as operations:
        for _ in range(TURNS):
            for verb, seen in times.items():
                change = world.members("group", **{verb: [handles[-1]]})
                started_at = time.perf_counter()
                backend.execute(backend.plan([change], links))
                seen.append(1000 * (time.perf_counter() - started_at))
    backend.close()
    each = len(operations) / (2 * TURNS)
    print(f"{size:10}{median(times['add']):14.1f}{median(times['remove']):16.1f}{each:12.1f}")


if __name__ == "__main__":
    main()
