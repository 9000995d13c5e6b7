"""Which tables there are, which column holds what, and which tables join others.

Managed or mapped, it is one `Layout`; whoever plans, executes or reads knows no other difference.

Rule: what a row holds is a function of the change alone, so plans are too.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from bridge.plugin import (
    FOLDER,
    WORKSPACE,
    Attributes,
    ChangeRecord,
    Link,
    Park,
)
from bridge_sql.settings import Deleted, Mapped, Membership, Settings
from bridge_sql.values import Path, Rule, moment, typed

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

USER, GROUP = "User", "Group"

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))

Peer = tuple[str, ...]
"""A row of a relation without its owner: the other one's resource id or key, then facts."""


@attrs.frozen
class Relation:
    """The table of a group's members, or of who has access to a workspace or folder.

    `owner` and `peer` are the columns that name the rows which are joined; `facts` are the others.
    `peers` is the entity type that every peer is, None where the first fact says it.
    """

    table: str
    owner: str
    peer: str
    facts: tuple[str, ...] = ()
    organization: str | None = "organization"
    peers: str | None = None

    def kind(self, row: Peer) -> str:
        """Return the entity type of the peer in a row."""
        return self.peers or row[1]


@attrs.frozen
class TableMap:
    """The table of one entity type, `kind`.

    `id` holds the resource id, `key` is what other tables call the row (often the same column).
    `revision` holds the version, `document` the whole resource as JSON. `setting` is where the
    configuration describes it.
    """

    kind: str
    table: str
    rules: Mapping[str, Rule]
    id: str = "id"
    key: str = "id"
    organization: str | None = "organization"
    revision: str | None = "version"
    document: str | None = None
    constants: Mapping[str, str] = attrs.field(factory=dict)
    deleted: Deleted | None = None
    relation: Relation | None = None
    setting: str = ""
    _roots: Mapping[str, frozenset[str]] = attrs.field(init=False, eq=False, repr=False)

    @_roots.default
    def _roots_of_rules(self) -> Mapping[str, frozenset[str]]:
        return {column: rule.roots for column, rule in self.rules.items()}

    def row(self, document: Attributes, version: int) -> dict[str, Any]:
        """Return every column but key, id and constants. Raises Park where a value cannot be."""
        row: dict[str, Any] = {self.revision: version} if self.revision else {}
        column = ""
        try:
            for column, rule in self.rules.items():
                row[column] = rule.value(document)
        except ValueError as error:
            raise self._cannot_be(column, error) from None
        if self.document:
            row[self.document] = _ENCODER.encode(document)
        if self.deleted:
            row[self.deleted.column] = self.live
        return row

    def difference(self, before: Attributes, after: Attributes, version: int) -> dict[str, Any]:
        """Return the columns that differ once `before` has become `after`, and the revision."""
        row: dict[str, Any] = {self.revision: version} if self.revision else {}
        names = before.keys() | after.keys()
        changed = {name for name in names if before.get(name) != after.get(name)}
        if not changed:
            return row
        column = ""
        try:
            for column, rule in self.rules.items():
                if not changed.isdisjoint(self._roots[column]):
                    value = rule.value(after)
                    if value != rule.value(before):
                        row[column] = value
        except ValueError as error:
            raise self._cannot_be(column, error) from None
        if self.document:
            row[self.document] = _ENCODER.encode(after)
        return row

    def _cannot_be(self, column: str, error: ValueError) -> Park:
        return Park(
            f"column {column} of {self.table}: {error}",
            f"Mend the value, or {self.setting}.convert.{column}, then retry.",
        )

    def ending(self, change: ChangeRecord) -> dict[str, Any]:
        """Return the columns that mark a row as deleted; none where it is removed instead."""
        if self.deleted is None:
            return {}
        mark = self.deleted.value
        row = {self.revision: change.version} if self.revision else {}
        at = moment(change.cause.at)
        return {**row, self.deleted.column: at if mark == "{now}" else self._marked(mark)}

    def is_live(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row is of a resource that is not deleted."""
        return self.deleted is None or row[self.deleted.column] == self.live

    def link(self, resource_id: str, key: str) -> Link:
        """Return the link of a resource whose row other tables call `key`.

        Two tables may count their rows alike, so an id says which one it is of.
        """
        target_id = key if self.key == self.id else f"{self.kind}/{key}"
        return Link(resource_id, target_id, name=f"{self.table}/{key}")

    def key_of(self, link: Link) -> str:
        """Return what other tables call the row of a link."""
        return link.target_id if self.key == self.id else link.target_id.partition("/")[2]

    @property
    def live(self) -> Any:
        """What the column of `deleted` holds for a row that is not."""
        return self._marked(self.deleted.live) if self.deleted else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the table that is read."""
        named = (self.organization, self.id, self.key, self.revision, self.document)
        mark = self.deleted.column if self.deleted else None
        return tuple(dict.fromkeys([*filter(None, (*named, mark)), *self.rules]))

    def _marked(self, text: str | None) -> Any:
        return typed(text, self.deleted.type) if self.deleted else None


@attrs.frozen
class Layout:
    """All tables of one target, by entity type.

    `applied` is the table with the version that each resource is at; None where rows say it
    themselves, in their `revision`, or nothing does.
    """

    tables: Mapping[str, TableMap]
    applied: str | None = None

    @property
    def relations(self) -> tuple[Relation, ...]:
        """The tables that join others."""
        return tuple(table.relation for table in self.tables.values() if table.relation)


def peers(table: TableMap, change: ChangeRecord) -> tuple[list[Peer], list[Peer]]:
    """Return who came and who went, by resource id; empty for a table without a relation.

    Raises Park for a group in a group where nothing can say that it is one.
    """
    relation = table.relation
    if relation is None:
        return [], []
    if change.entity.type != GROUP:
        granted, revoked = change.access.granted, change.access.revoked
        return (
            [(one.user, str(one.level), str(one.state)) for one in granted],
            [(one.user, str(one.level), str(one.state)) for one in revoked],
        )
    delta = change.members
    if relation.facts:
        return [(m.id, m.type) for m in delta.added], [(m.id, m.type) for m in delta.removed]
    if nested := [m.id for m in (*delta.added, *delta.removed) if m.type != relation.peers]:
        raise Park(
            f"{nested[0]} is no {relation.peers}, and {relation.table} has no column to say so",
            "Set members.type to such a column, or take the group out of the group, then retry.",
        )
    return [(m.id,) for m in delta.added], [(m.id,) for m in delta.removed]


def layout(settings: Settings) -> Layout:
    """Return the tables that the settings describe."""
    if settings.tables == "managed":
        return MANAGED
    relation = _joined(settings.members) if settings.members else None
    described = {
        USER: (settings.users, None, "users"),
        GROUP: (settings.groups, relation, "groups"),
    }
    return Layout(
        {
            kind: _mapped(kind, mapped, joined, setting)
            for kind, (mapped, joined, setting) in described.items()
            if mapped
        }
    )


def _mapped(kind: str, mapped: Mapped, relation: Relation | None, setting: str) -> TableMap:
    return TableMap(
        kind,
        table=mapped.table,
        rules=mapped.rules,
        id=mapped.id,
        key=mapped.key or mapped.id,
        organization=mapped.organization,
        revision=mapped.revision,
        constants=mapped.constants,
        deleted=mapped.deleted,
        relation=relation,
        setting=setting,
    )


def _joined(members: Membership) -> Relation:
    facts, peers = ((members.type,), None) if members.type else ((), USER)
    return Relation(
        members.table, members.group, members.member, facts, members.organization, peers
    )


def _rules(**columns: str) -> dict[str, Rule]:
    return {column: Rule((Path.parse(text),)) for column, text in columns.items()}


def _managed(kind: str, table: str, relation: Relation | None = None, **columns: str) -> TableMap:
    return TableMap(kind, table, _rules(**columns), document="document", relation=relation)


MANAGED = Layout(
    {
        USER: _managed(
            USER,
            "users",
            user_name="userName",
            external_id="externalId",
            display_name="displayName",
            given_name="name.givenName",
            family_name="name.familyName",
            email="emails.value",
            phone_number="phoneNumbers.value",
            title="title",
            department=f"{ENTERPRISE}:department",
            employee_number=f"{ENTERPRISE}:employeeNumber",
            manager=f"{ENTERPRISE}:manager.value",
            active="active",
        ),
        GROUP: _managed(
            GROUP,
            "groups",
            Relation("members", "group_id", "member_id", ("member_type",)),
            display_name="displayName",
            external_id="externalId",
        ),
        WORKSPACE: _managed(
            WORKSPACE,
            "workspaces",
            Relation(
                "workspace_members", "workspace_id", "user_id", ("level", "state"), peers=USER
            ),
            display_name="displayName",
        ),
        FOLDER: _managed(
            FOLDER,
            "folders",
            Relation("folder_access", "folder_id", "user_id", ("level", "state"), peers=USER),
            display_name="displayName",
            workspace_id="workspace",
            parent_id="parent",
            access="access",
        ),
    },
    applied="applied",
)
"""The tables that the backend makes itself."""
