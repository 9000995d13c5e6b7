"""Listing: every entry of the kinds the bridge keeps, whoever made it, page by page.

A server's paging cookie is good only on the connection that gave it. A cursor therefore names the
part of the directory that is being listed and a turn; an instance that did not give that turn
begins the part again.

Rule: what the server held back is said on the page; a page is never shorter in silence.
"""

import attrs

from bridge.plugin import Found, NotApplied, ScanPage
from bridge_ldap import dn, inverse
from bridge_ldap.answers import NO_ATTRIBUTES, Page
from bridge_ldap.client import Client
from bridge_ldap.identity import Identity
from bridge_ldap.mapping import Entry, EntryMapping
from bridge_ldap.observation import asked
from bridge_ldap.settings import Settings, shared

GROUPS_PER_PAGE = 10
"""Groups on a page: each comes with all its members."""


@attrs.frozen
class Part:
    """One base and what is listed below it; `template` is the base as configured."""

    type: str
    base: str
    template: str
    filter: str


@attrs.define
class Lister:
    """Lists on one connection."""

    settings: Settings
    mapping: EntryMapping
    client: Client
    _turn: int = 0
    _cookie: bytes = b""

    def scan(self, cursor: str | None) -> ScanPage:
        """Return the page that `cursor` names; see `bridge.plugin.Scanner`."""
        parts = self._parts()
        number, _, turn = (cursor or "0").partition(":")
        part = parts[int(number)]
        goes_on = bool(turn) and int(turn) == self._turn and bool(self._cookie)
        missing = "" if goes_on else self._unreadable(part)
        page = Page(()) if missing else self._page(part, self._cookie if goes_on else b"")
        if not page.cookie:
            missing = missing or self._unreadable(part)
        self._turn, self._cookie = self._turn + 1, page.cookie
        following = f"{number}:{self._turn}" if page.cookie else _after(int(number), parts)
        return ScanPage(
            tuple(self._found(part, entry) for entry in page.entries),
            following,
            missing or page.cut_short,
        )

    def _page(self, part: Part, cookie: bytes) -> Page:
        size = self.settings.page_size
        if part.type == "Group":
            size = min(size, GROUPS_PER_PAGE)
        attributes = asked(self.settings, self.mapping, part.type)
        query = (part.base, part.filter, attributes)
        try:
            return self.client.page(*query, size=size, cookie=cookie)
        except NotApplied:
            if not cookie:
                raise
        # Another connection than the one that gave it: the part is begun again.
        return self.client.page(*query, size=size, cookie=b"")

    def _unreadable(self, part: Part) -> str:
        """Return why nothing can be concluded from what is not below a base; empty if it can."""
        there = self.client.read(part.base, NO_ATTRIBUTES) is not None
        return "" if there else f"{part.base} cannot be read"

    def _parts(self) -> list[Part]:
        users, groups = self.settings.users, self.settings.groups
        bases = [base for base in (users.base_dn, users.deactivate.base_dn) if base]
        parts = [Part("User", shared(b), b, self._filter("User")) for b in _apart(bases)]
        return [
            *parts,
            Part("Group", shared(groups.base_dn), groups.base_dn, self._filter("Group")),
        ]

    def _filter(self, resource_type: str) -> str:
        kind = self.mapping.kind(resource_type)
        return kind.existing.filter(kind.object_classes)

    def _found(self, part: Part, entry: Entry) -> Found:
        kind = self.mapping.kind(part.type)
        document = inverse.document(inverse.places(kind.rules), entry)
        organization = inverse.organization(part.template, entry)
        name = "displayName"
        if part.type == "User":
            name = "userName"
            shown = inverse.is_active(self.settings.users, organization, entry)
            document.setdefault("active", shown)
        target_id = Identity(self.settings.identity_attribute).of(entry)
        problem = "" if document.get(name) else f"it has no value that is its {name}"
        if not target_id:
            problem = f"it shows no {self.settings.identity_attribute}"
        return Found(
            type=part.type,
            target_id=target_id,
            name=entry.dn,
            key=self._key(entry),
            attributes=document,
            members=inverse.members(self.mapping, entry) if part.type == "Group" else (),
            organization=organization,
            state=entry,
            problem=problem,
        )

    def _key(self, entry: Entry) -> str:
        if self.settings.groups.member_value == "uid":
            return entry.first("uid") or inverse.key(entry.dn)
        return inverse.key(entry.dn)


def _apart(bases: list[str]) -> list[str]:
    """Return the bases without those that lie below another."""
    return [
        base
        for base in dict.fromkeys(bases)
        if not any(base != other and dn.below(shared(base), shared(other)) for other in bases)
    ]


def _after(number: int, parts: list[Part]) -> str | None:
    return str(number + 1) if number + 1 < len(parts) else None
