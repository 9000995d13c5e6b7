"""The wire: one connection to one server, and the only file that knows ldap3.

ldap3's defaults would trust any certificate, follow referrals with our password to any host and
wait for ever; here certificates and host names are verified, referrals are never followed and
every exchange ends within its time-out.

Rule: an exchange returns what the server answered, whatever the code, or raises Unsent or Lost;
after either the connection is no good any more.
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import ldap3
from ldap3.core.exceptions import (
    LDAPExceptionError,
    LDAPSocketOpenError,
    LDAPSocketSendError,
)
from ldap3.operation.search import compile_filter, parse_filter
from ldap3.protocol.rfc3062 import PasswdModifyRequestValue
from ldap3.protocol.rfc4527 import post_read_control
from ldap3.utils.asn1 import encode  # type: ignore[attr-defined]  # its stubs forget it

from bridge_ldap import results
from bridge_ldap.answers import (
    ANY_ENTRY,
    ASSERTION,
    PAGED_RESULTS,
    PASSWORD_MODIFY,
    POST_READ,
    WHO_AM_I,
    Modification,
    Reply,
    RootDse,
)
from bridge_ldap.mapping import Entry, Values
from bridge_ldap.results import Code
from bridge_ldap.settings import Settings
from bridge_ldap.transport import TimedSocket, verified_tls

_MODIFY = {"add": ldap3.MODIFY_ADD, "delete": ldap3.MODIFY_DELETE, "replace": ldap3.MODIFY_REPLACE}

_NOT_SENT = (LDAPSocketSendError, LDAPSocketOpenError)
_BROKEN = (LDAPExceptionError, OSError)

Scope = Literal["BASE", "SUBTREE"]
Controls = list[tuple[str, bool, Any]] | None


class Unsent(Exception):
    """Not all of the request left us, so the server cannot have understood it."""


class Lost(Exception):
    """The request went out, and no answer came: whether it was done, nobody knows."""

    def __init__(self, why: str, *, timed_out: bool = False) -> None:
        super().__init__(why)
        self.timed_out = timed_out


class Refused(Exception):
    """The server answers, and does not let us in; `code` says why."""

    def __init__(self, code: int) -> None:
        super().__init__(results.name(code))
        self.code = code


class Wire:
    """A connection to one server, encrypted if that is asked for; for one thread."""

    def __init__(self, settings: Settings, uri: str) -> None:
        """Connect. Raises Lost where there is nobody to talk to, or nobody who proves to be it."""
        self._settings = settings
        self._seconds = settings.operation_seconds
        server = ldap3.Server(
            uri,
            get_info=ldap3.NONE,
            tls=_VerifiedTls(settings),
            connect_timeout=settings.connect_seconds,
            allowed_referral_hosts=[],
        )
        self.uri = uri
        self.is_encrypted = server.ssl or (settings.start_tls and not uri.startswith("ldapi:"))
        self._connection = _connection(settings, server)
        try:
            self._connection.open(read_server_info=False)
            if self.is_encrypted and not server.ssl:
                self._connection.start_tls(read_server_info=False)
        except BaseException as error:
            if self._connection.socket is not None:
                self._connection.socket.close()
            if isinstance(error, _BROKEN):
                raise Lost(_cause(error)) from error
            raise
        self._socket = TimedSocket(self._connection.socket)
        self._connection.socket = self._socket
        self.root_dse = RootDse()

    def bind(self) -> None:
        """Prove who we are, and ask what the server can. Raises Lost, and Refused."""
        seconds = self._settings.connect_seconds
        _, result, _, _ = self._timed(lambda c: c.bind(read_server_info=False), seconds)
        if result["result"] != Code.SUCCESS:
            raise Refused(result["result"])
        self.root_dse = self._read_root_dse()

    @property
    def is_alive(self) -> bool:
        """Whether the server still keeps the connection."""
        return self._socket.is_alive()

    def close(self) -> None:
        """Say goodbye; never raises."""
        with contextlib.suppress(Exception):
            self._socket.start(self._seconds)
            self._connection.unbind()
        self.drop()

    def drop(self) -> None:
        """Close a connection that is no good any more."""
        self._socket.close()

    def add(self, dn: str, attributes: Mapping[str, Values], show: Sequence[str]) -> Reply:
        """Add an entry; the reply shows its attributes `show` where the server can."""
        encoded = {name: _encoded(values) for name, values in attributes.items()}
        shows = show and POST_READ in self.root_dse.controls
        controls = [post_read_control(list(show))] if shows else None
        return self._exchange(lambda c: c.add(dn, None, encoded, controls))

    def modify(self, dn: str, modifications: Sequence[Modification], only_if: str) -> Reply:
        """Modify an entry, if it matches `only_if`."""
        changes: dict[str, list[tuple[str, list[bytes]]]] = {}
        for kind, name, values in modifications:
            changes.setdefault(name, []).append((_MODIFY[kind], _encoded(values)))
        controls = _assertion(only_if)
        return self._exchange(lambda c: c.modify(dn, changes, controls))

    def rename(self, dn: str, rdn: str, superior: str | None, only_if: str) -> Reply:
        """Name an entry anew, and move it below `superior` if there is one."""
        controls = _assertion(only_if)
        return self._exchange(
            lambda c: c.modify_dn(dn, rdn, new_superior=superior, controls=controls)
        )

    def delete(self, dn: str, only_if: str) -> Reply:
        """Delete an entry, if it matches `only_if`."""
        controls = _assertion(only_if)
        return self._exchange(lambda c: c.delete(dn, controls))

    def set_password(self, dn: str, password: str) -> Reply:
        """Set a password by the password modify operation (RFC 3062)."""
        request = PasswdModifyRequestValue()
        request["userIdentity"] = dn.encode()
        request["newPasswd"] = password.encode()
        return self._exchange(lambda c: c.extended(PASSWORD_MODIFY, request))

    def who_am_i(self) -> str:
        """Return whom the server takes us for (RFC 4532): `dn:…`, `u:…` or empty."""
        _, result, _, _ = self._timed(lambda c: c.extended(WHO_AM_I), self._seconds)
        value = result.get("responseValue") or b""
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

    def search(
        self,
        base: str,
        scope: Scope,
        matching: str,
        attributes: Sequence[str],
        *,
        size: int = 0,
        cookie: bytes = b"",
    ) -> Reply:
        """Search; with a `size` only a page of that many entries (RFC 2696)."""
        paged: dict[str, Any] = {"paged_size": size, "paged_cookie": cookie or None} if size else {}
        return self._exchange(
            lambda c: c.search(
                base,
                matching,
                scope,
                ldap3.DEREF_NEVER,
                list(attributes),
                time_limit=math.ceil(self._seconds),
                **paged,
            )
        )

    def _exchange(self, call: Callable[[ldap3.Connection], Any]) -> Reply:
        _, result, response, _ = self._timed(call, self._seconds)
        return _reply(result, response)

    def _timed(self, call: Callable[[ldap3.Connection], Any], seconds: float) -> Any:
        self._socket.start(seconds)
        try:
            return call(self._connection)
        except _NOT_SENT as error:
            raise Unsent(_cause(error)) from error
        except _BROKEN as error:
            timed_out = isinstance(error, TimeoutError)
            raise Lost(_cause(error), timed_out=timed_out) from error

    def _read_root_dse(self) -> RootDse:
        asked = ["supportedControl", "supportedExtension", "namingContexts", "subschemaSubentry"]
        found = self.search("", "BASE", ANY_ENTRY, asked).entries
        dse = found[0] if found else Entry("", {})
        return RootDse(
            frozenset(dse.values("supportedControl")),
            frozenset(dse.values("supportedExtension")),
            dse.values("namingContexts"),
            dse.first("subschemaSubentry"),
        )


class _VerifiedTls(ldap3.Tls):
    """TLS by the standard library's rules; ldap3's own skip IP addresses and need old Pythons."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:  # noqa: ARG002
        """Replace the connection's socket by an encrypted one."""
        host = connection.server.host.strip("[]")
        connection.socket = verified_tls(connection.socket, host, self._settings)


def _connection(settings: Settings, server: ldap3.Server) -> ldap3.Connection:
    proof: dict[str, Any] = {
        "authentication": ldap3.SASL,
        "sasl_mechanism": ldap3.EXTERNAL,
        "sasl_credentials": "",  # as whom the certificate says: none at all would ask for more
    }
    if settings.bind == "simple" and settings.bind_password:
        proof = {"user": settings.bind_dn, "password": settings.bind_password.reveal()}
    return ldap3.Connection(
        server,
        **proof,
        client_strategy=ldap3.SAFE_SYNC,
        auto_referrals=False,
        check_names=False,
        auto_escape=False,
        auto_encode=False,
        auto_range=True,
        # Bounds the TLS handshake; from then on TimedSocket is exact.
        receive_timeout=math.ceil(settings.connect_seconds),
    )


def _reply(result: Mapping[str, Any], response: Sequence[Mapping[str, Any]] | None) -> Reply:
    controls = result.get("controls") or {}
    page, shown = controls.get(PAGED_RESULTS), controls.get(POST_READ)
    entry = None
    if shown:
        found = shown["value"]["result"].items()
        entry = Entry("", {name.lower(): tuple(values or ()) for name, values in found})
    items = response or ()
    return Reply(
        result["result"],
        result["message"],
        entries=tuple(_entry(item) for item in items if item["type"] == "searchResEntry"),
        is_referred=any(item["type"] == "searchResRef" for item in items),
        cookie=page["value"]["cookie"] if page else b"",
        shown=entry,
    )


def _entry(item: Mapping[str, Any]) -> Entry:
    # Active Directory shows so many values of an attribute at once (MS-ADTS, "Range Retrieval"):
    # ldap3 asks on to the end (auto_range) and leaves the first part behind.
    return Entry(
        item["dn"],
        {
            name.lower(): tuple(v.decode("utf-8", errors="surrogateescape") for v in values)
            for name, values in item["raw_attributes"].items()
            if ";range=" not in name
        },
    )


def _encoded(values: Values) -> list[bytes]:
    return [value.encode("utf-8", errors="surrogateescape") for value in values]


def _assertion(only_if: str) -> Controls:
    if not only_if:
        return None
    node = parse_filter(only_if, None, False, False, None, False).elements[0]
    return [(ASSERTION, True, encode(compile_filter(node)))]


def _cause(error: BaseException) -> str:
    return str(error) or type(error).__name__
