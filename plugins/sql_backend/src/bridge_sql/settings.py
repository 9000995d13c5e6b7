"""The keys of a `[[backends]]` table of type "sql".

Rule: a password is never part of the address, so that the address can be shown.
"""

from typing import Any

import attrs
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bridge.plugin import Secret


def _positive(_instance: object, field: Any, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{field.name} must be greater than 0, not {value}")


@attrs.frozen
class Settings:
    """Where the tables are, and who makes them."""

    url: str = attrs.field(
        metadata={
            "meaning": "SQLAlchemy address without a password: sqlite:////var/lib/people.db, "
            "postgresql+psycopg://bridge@host/name, mysql+pymysql://bridge@host/name."
        }
    )
    password: Secret | None = attrs.field(
        default=None, metadata={"meaning": "Password of the account in `url`."}
    )
    schema: str | None = attrs.field(
        default=None,
        metadata={"meaning": "Database schema the tables are in. Default: the account's own."},
    )
    managed: bool = attrs.field(
        default=True,
        metadata={"meaning": "Create the tables users, groups, members and applied if missing."},
    )
    timeout_seconds: float = attrs.field(
        default=8.0,
        validator=_positive,
        metadata={"meaning": "Longest wait for a connection, a lock or a statement, in seconds."},
    )

    @url.validator
    def _without_password(self, _field: Any, value: str) -> None:
        try:
            address = make_url(value)
        except ArgumentError as error:
            raise ValueError("url is not a SQLAlchemy address") from error
        if address.password is not None:
            raise ValueError("url holds a password; put it into `password` or `password_file`")

    @property
    def address(self) -> URL:
        """The address with the password in it; its `str` shows `***` instead."""
        secret = self.password.reveal() if self.password else None
        return make_url(self.url).set(password=secret)
