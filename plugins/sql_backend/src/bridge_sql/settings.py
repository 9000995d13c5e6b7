"""The keys of a `[[backends]]` table of type "sql".

Rule: a password is never part of the address, so that the address can be shown; what can be checked
without a database is checked here, by name.
"""

from collections.abc import Mapping
from typing import Any, Literal

import attrs
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bridge.plugin import Secret
from bridge_sql.values import Kind, Path, Rule


def _meaning(sentence: str) -> dict[str, str]:
    return {"meaning": sentence}


def _positive(_instance: object, field: Any, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{field.name} must be greater than 0, not {value}")


def _are_paths(_instance: object, field: Any, value: Mapping[str, str]) -> None:
    for column, text in value.items():
        try:
            Path.parse_all(text)
        except ValueError as error:
            raise ValueError(f"{field.name}.{column}: {error}") from None


@attrs.frozen
class Convert:
    """`[backends.users.convert.COLUMN]`: what a value becomes on its way into a column."""

    type: Kind = attrs.field(
        default="any",
        metadata=_meaning(
            "`boolean`, `integer` and `timestamp` (UTC, whole seconds) are made of text; `any` is "
            "as it is."
        ),
    )
    lower: bool = attrs.field(default=False, metadata=_meaning("Write text in lower case."))
    values: Mapping[str, str] = attrs.field(
        factory=dict,
        metadata=_meaning('What is written for which value: `{ true = "A", false = "I" }`.'),
    )


@attrs.frozen
class Deleted:
    """`[backends.users.deleted]`: how a row of a deleted resource is marked and kept."""

    column: str = attrs.field(metadata=_meaning("The column that is set."))
    value: str = attrs.field(
        default="{now}",
        metadata=_meaning("What is written on deletion; `{now}` is the time of the change."),
    )
    live: str | None = attrs.field(
        default=None, metadata=_meaning("What the column holds otherwise. Default: NULL.")
    )
    type: Kind = attrs.field(
        default="any", metadata=_meaning("What `value` and `live` are made into.")
    )

    def __attrs_post_init__(self) -> None:
        if self.live == self.value:
            raise ValueError("live and value are the same: nothing would tell a deleted row")


@attrs.frozen
class Mapped:
    """`[backends.users]`, `[backends.groups]`: a table of yours, one row for one resource."""

    table: str = attrs.field(metadata=_meaning("The table's name."))
    id: str = attrs.field(metadata=_meaning("Column that holds the SCIM id; unique."))
    columns: Mapping[str, str] = attrs.field(
        validator=_are_paths,
        metadata=_meaning(
            'Path of the value by column: `login = "userName"`; `a | b` takes the first there is.'
        ),
    )
    key: str | None = attrs.field(
        default=None,
        metadata=_meaning("Column by which other tables name the row. Default: that of the id."),
    )
    organization: str | None = attrs.field(
        default=None, metadata=_meaning("Column that holds the organization's id. Default: none.")
    )
    revision: str | None = attrs.field(
        default=None,
        metadata=_meaning(
            "Whole-number column that holds the version applied: with it, a late repetition of an "
            "older change matches no row. Default: none."
        ),
    )
    convert: Mapping[str, Convert] = attrs.field(
        factory=dict, metadata=_meaning("Conversions by column.")
    )
    constants: Mapping[str, str] = attrs.field(
        factory=dict,
        metadata=_meaning("What other columns of a new row are given; never written again."),
    )
    deleted: Deleted | None = attrs.field(
        default=None,
        metadata=_meaning("How a deleted row is marked. Default: the row is removed."),
    )

    def __attrs_post_init__(self) -> None:
        if stray := sorted(self.convert.keys() - self.columns.keys()):
            raise ValueError(f"convert.{stray[0]}: columns has no {stray[0]}")
        deleted = self.deleted and self.deleted.column
        own = (self.id, self.key or self.id, self.organization, self.revision, deleted)
        for column in filter(None, (*own[2:], *self.columns, *self.constants)):
            if column in own[:2]:
                raise ValueError(f"{column} holds the id or the key and can hold nothing else")
        marks = [column for column in own[2:] if column]
        taken = [*self.columns, *self.constants, *marks]
        if doubled := sorted({column for column in taken if taken.count(column) > 1}):
            raise ValueError(f"column {doubled[0]} is given two meanings")

    @property
    def rules(self) -> Mapping[str, Rule]:
        """What each column holds."""
        plain = Convert()
        return {
            column: Rule(Path.parse_all(text), **attrs.asdict(self.convert.get(column, plain)))
            for column, text in self.columns.items()
        }


@attrs.frozen
class Membership:
    """`[backends.members]`: a table of yours, one row for one member of one group."""

    table: str = attrs.field(metadata=_meaning("The table's name."))
    group: str = attrs.field(metadata=_meaning("Column that holds the `key` of the group's row."))
    member: str = attrs.field(metadata=_meaning("Column that holds the `key` of the member's row."))
    type: str | None = attrs.field(
        default=None,
        metadata=_meaning(
            "Column that holds User or Group. Without it a group in a group is parked."
        ),
    )
    organization: str | None = attrs.field(
        default=None, metadata=_meaning("Column that holds the organization's id. Default: none.")
    )


@attrs.frozen
class Settings:
    """Where the tables are, whose they are, and what is in them."""

    url: str = attrs.field(
        metadata=_meaning(
            "SQLAlchemy address without a password: sqlite:////var/lib/people.db, "
            "postgresql+psycopg://bridge@host/name, mysql+pymysql://bridge@host/name."
        )
    )
    password: Secret | None = attrs.field(
        default=None, metadata=_meaning("Password of the account in `url`.")
    )
    schema: str | None = attrs.field(
        default=None,
        metadata=_meaning("Database schema the tables are in. Default: the account's own."),
    )
    tables: Literal["managed", "mapped"] = attrs.field(
        default="managed",
        metadata=_meaning(
            "`managed`: the bridge's own tables. `mapped`: tables of yours, described by `users`, "
            "`groups` and `members`; nothing of them is ever created or altered."
        ),
    )
    create: bool = attrs.field(
        default=True,
        metadata=_meaning(
            "Managed tables are made and migrated when first needed; `false` leaves that to "
            "`bridge backend init`."
        ),
    )
    timeout_seconds: float = attrs.field(
        default=8.0,
        validator=_positive,
        metadata=_meaning("Longest wait for a connection, a lock or a statement, in seconds."),
    )
    users: Mapped | None = attrs.field(
        default=None, metadata=_meaning("Mapped: the table of people.")
    )
    groups: Mapped | None = attrs.field(
        default=None, metadata=_meaning("Mapped: the table of groups.")
    )
    members: Membership | None = attrs.field(
        default=None, metadata=_meaning("Mapped: the table that joins groups and members.")
    )

    @url.validator
    def _without_password(self, _field: Any, value: str) -> None:
        try:
            address = make_url(value)
        except ArgumentError as error:
            raise ValueError("url is not a SQLAlchemy address") from error
        if address.password is not None:
            raise ValueError("url holds a password; put it into `password` or `password_file`")

    def __attrs_post_init__(self) -> None:
        described = any((self.users, self.groups, self.members))
        if self.tables == "managed" and described:
            raise ValueError('users, groups and members describe mapped tables: tables = "mapped"')
        if self.tables == "mapped" and not (self.users or self.groups):
            raise ValueError('tables = "mapped" needs users or groups, which describe them')
        if self.members and not (self.users and self.groups):
            raise ValueError("members joins users and groups, and one of them is not described")
        if self.groups and not self.members:
            raise ValueError("groups needs members, the table that holds who is in them")

    @property
    def address(self) -> URL:
        """The address with the password in it; its `str` shows `***` instead."""
        secret = self.password.reveal() if self.password else None
        return make_url(self.url).set(password=secret)
