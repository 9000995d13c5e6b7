"""People who administer, and the browsers in which they are signed in.

Rule: a session, a link and a password are here as a digest or a hash; none can be read back.
"""

from typing import Any

import attrs
from sqlalchemy import and_, bindparam, delete, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from bridge.codec import to_micros
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.core.schema.keys import name_key
from bridge.journal.admins import ADMIN, INSTALLATION
from bridge.journal.people_tables import account as _a
from bridge.journal.people_tables import session as _s
from bridge.journal.people_tables import sign_in_link as _l
from bridge.journal.statements import insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tenants import audit


@attrs.frozen
class Account:
    """A person who administers; `organization` None is the whole installation."""

    id: str
    organization: str | None
    email: str
    name: str
    role: str
    password: str | None = attrs.field(repr=False)
    created: int
    disabled: int | None


@attrs.frozen
class SignedIn:
    """A live session: whose it is, and since when (microseconds since 1970 UTC)."""

    account: Account
    since: int


def _is(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column == bindparam(name)


_account = [_a.c[field.name] for field in attrs.fields(Account)]
_live = and_(_a.c.disabled.is_(None))
_NEW = prepared(insert_into(_a, [*(c.name for c in _account if c.name != "disabled"), "email_key"]))
_BY_EMAIL = prepared(select(*_account).where(_is(_a.c.email_key, "email_key")))
_BY_ID = prepared(select(*_account).where(_is(_a.c.id, "id")))
_EVERY = prepared(select(*_account).order_by(_a.c.email_key))
_OF_ORGANIZATION = prepared(
    select(*_account).where(_is(_a.c.organization, "organization")).order_by(_a.c.email_key)
)
_OTHER_ADMINS = prepared(
    select(func.count()).where(
        or_(_is(_a.c.organization, "organization"), _a.c.organization.is_(None)),
        _a.c.role == ADMIN,
        _a.c.id != bindparam("id"),
        _live,
    )
)
_DISABLE = prepared(
    update(_a)
    .where(_is(_a.c.id, "id"))
    .values(disabled=func.coalesce(_a.c.disabled, bindparam("now")))
)
_PASSWORD = prepared(update(_a).where(_is(_a.c.id, "id")).values(password=bindparam("hashed")))
_NEW_SESSION = prepared(insert_into(_s))
_SESSION = prepared(
    select(*_account, _s.c.created.label("since"))
    .join(_a, _a.c.id == _s.c.account)
    .where(_is(_s.c.digest, "digest"), _s.c.expires > bindparam("now"), _live)
)
_END = prepared(delete(_s).where(_is(_s.c.digest, "digest")))
_END_ALL = prepared(delete(_s).where(_is(_s.c.account, "account")))
_EXPIRE = prepared(delete(_s).where(_s.c.expires <= bindparam("now")))
_NEW_LINK = prepared(insert_into(_l, ("digest", "account", "expires")))
_USE_LINK = prepared(
    update(_l)
    .where(_is(_l.c.digest, "digest"), _l.c.used.is_(None), _l.c.expires > bindparam("now"))
    .values(used=bindparam("now"))
)
_LINKED = prepared(
    select(*_account).join(_l, _l.c.account == _a.c.id).where(_is(_l.c.digest, "digest"), _live)
)


def create(
    tx: Transaction,
    account_id: str,
    email: str,
    name: str,
    role: str,
    cause: Cause,
    *,
    organization: str | None = None,
    password: str | None = None,
) -> Account:
    """Write a new account; `password` is its argon2 hash, None for one that signs in by link.

    Raises OperatorError BRG-ACCOUNT-EXISTS when the address has an account.
    """
    if find(tx, email) is not None:
        raise OperatorError(
            "BRG-ACCOUNT-EXISTS",
            f"There is an account of {email} already.",
            "Choose another address, or set that account's password anew.",
        )
    made = Account(account_id, organization, email, name, role, password, to_micros(cause.at), None)
    columns = {key: value for key, value in attrs.asdict(made).items() if key != "disabled"}
    tx.run(_NEW, **columns, email_key=name_key(email))
    detail = {"email": email, "role": role}
    place = organization or INSTALLATION
    audit(tx, place, cause, "account.create", f"account/{account_id}", detail)
    return made


def find(reader: Reader, email: str) -> Account | None:
    """Return the account of an e-mail address, whatever its case, disabled ones too, or None."""
    row = reader.row(_BY_EMAIL, email_key=name_key(email))
    return Account(*row) if row else None


def every(reader: Reader, organization: str | None = None) -> list[Account]:
    """Return an organization's accounts, or all there are, by address."""
    if organization is None:
        return [Account(*row) for row in reader.rows(_EVERY)]
    return [Account(*row) for row in reader.rows(_OF_ORGANIZATION, organization=organization)]


def set_password(tx: Transaction, account: Account, hashed: str, cause: Cause) -> None:
    """Set an account's password hash, and end its sessions."""
    tx.run(_PASSWORD, id=account.id, hashed=hashed)
    tx.run(_END_ALL, account=account.id)
    _audit(tx, account, cause, "account.password")


def rehash(tx: Transaction, account: Account, hashed: str) -> None:
    """Keep the same password under a newer hash."""
    tx.run(_PASSWORD, id=account.id, hashed=hashed)


def disable(tx: Transaction, account: Account, cause: Cause) -> None:
    """Let an account sign in no more, and end its sessions.

    Raises OperatorError BRG-OWNER-LAST for the last one that may administer its organization.
    """
    if account.role == ADMIN and account.disabled is None:
        row = tx.row(_OTHER_ADMINS, organization=account.organization, id=account.id)
        if not row or not row[0]:
            raise OperatorError(
                "BRG-OWNER-LAST",
                "This is the last account that may administer this organization.",
                "Make another one of role admin first.",
            )
    tx.run(_DISABLE, id=account.id, now=tx.now)
    tx.run(_END_ALL, account=account.id)
    _audit(tx, account, cause, "account.disable")


def open_session(
    tx: Transaction, digest: str, account: Account, seconds: int, cause: Cause
) -> None:
    """Write a session that lives for so many seconds, and forget those whose time is over."""
    tx.run(_EXPIRE, now=tx.now)
    ends = tx.now + seconds * 1_000_000
    tx.run(_NEW_SESSION, digest=digest, account=account.id, created=tx.now, expires=ends)
    _audit(tx, account, cause, "account.sign_in")


def signed_in(reader: Reader, digest: str) -> SignedIn | None:
    """Return who a session's digest stands for, or None: one read."""
    row = reader.row(_SESSION, digest=digest, now=reader.now)
    return SignedIn(Account(*row[:-1]), row[-1]) if row else None


def end_session(tx: Transaction, digest: str) -> None:
    """End a session; nothing for one that has ended."""
    tx.run(_END, digest=digest)


def offer_link(tx: Transaction, digest: str, account: Account, seconds: int) -> None:
    """Write a link that signs an account in, once, within so many seconds."""
    tx.run(_NEW_LINK, digest=digest, account=account.id, expires=tx.now + seconds * 1_000_000)


def use_link(tx: Transaction, digest: str) -> Account | None:
    """Use a link up and return whom it signs in; None when it is unknown, used or too old."""
    if tx.run(_USE_LINK, digest=digest, now=tx.now) != 1:
        return None
    row = tx.row(_LINKED, digest=digest)
    return Account(*row) if row else None


def _audit(tx: Transaction, account: Account, cause: Cause, action: str) -> None:
    audit(tx, account.organization or INSTALLATION, cause, action, f"account/{account.id}", {})
