"""The wire: one connection to one directory, and the only file that knows ldap3.

ldap3's defaults would trust any certificate, follow referrals with our password to any host and
wait for ever; here certificates and host names are verified, referrals are never followed and
every exchange ends within its time-out.

Rule: an operation returns an Answer with success or a code the caller expected, or raises one of
the outcomes of `bridge.plugin`; nothing untyped leaves this file.
"""

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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

from bridge.plugin import BackendDown, InDoubt, RetryLater, Secret
from bridge_ldap import results
from bridge_ldap.answers import Answer, Page, RootDse
from bridge_ldap.mapping import Entry, Values
from bridge_ldap.results import Code
from bridge_ldap.settings import Settings
from bridge_ldap.transport import TimedSocket, verified_tls

ANY_ENTRY = "(objectClass=*)"
NO_ATTRIBUTES = ("1.1",)  # RFC 4511 4.5.1.8

ASSERTION = "1.3.6.1.1.12"  # RFC 4528
POST_READ = "1.3.6.1.1.13.2"  # RFC 4527
PASSWORD_MODIFY = "1.3.6.1.4.1.4203.1.11.1"  # noqa: S105 - RFC 3062
PAGED_RESULTS = "1.2.840.113556.1.4.319"  # RFC 2696

Modification = tuple[Literal["add", "delete", "replace"], str, Values]
"""One change to an attribute in a modify; `replace` with no values removes the attribute."""

_MODIFY = {"add": ldap3.MODIFY_ADD, "delete": ldap3.MODIFY_DELETE, "replace": ldap3.MODIFY_REPLACE}

_NOT_SENT = (LDAPSocketSendError, LDAPSocketOpenError)
_BROKEN = (LDAPExceptionError, OSError)

_CUT_SHORT = (
    Code.TIME_LIMIT_EXCEEDED,
    Code.SIZE_LIMIT_EXCEEDED,
    Code.REFERRAL,
    Code.ADMIN_LIMIT_EXCEEDED,
    Code.NO_SUCH_OBJECT,
    Code.INSUFFICIENT_ACCESS_RIGHTS,
)

Call = Callable[[ldap3.Connection], Any]
GuardedCall = Callable[[ldap3.Connection, Any], Any]
Result = Mapping[str, Any]
Scope = Literal["BASE", "SUBTREE"]


class Client:
    """One connection, opened when first needed and anew after it broke; for one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: ldap3.Connection | None = None
        self._socket: TimedSocket | None = None
        self._root_dse = RootDse()
        self.uri = ""
        self.is_encrypted = False

    @property
    def root_dse(self) -> RootDse:
        """What the connected server says of itself; connects. Raises BackendDown."""
        self._connected()
        return self._root_dse

    def add(
        self,
        dn: str,
        attributes: Mapping[str, Values],
        *,
        show: Sequence[str] = (),
        expect: Collection[int] = (),
    ) -> Answer:
        """Add an entry; the Answer's entry has the attributes of `show` if the server can."""
        encoded = {name: _encoded(values) for name, values in attributes.items()}
        shows = bool(show) and POST_READ in self.root_dse.controls
        controls = [post_read_control(list(show))] if shows else None
        return self._write(f"add {dn}", lambda c: c.add(dn, None, encoded, controls), expect)

    def modify(
        self,
        dn: str,
        modifications: Sequence[Modification],
        *,
        only_if: str = "",
        expect: Collection[int] = (),
    ) -> Answer:
        """Modify an entry in one operation; all of it happens or nothing."""
        changes: dict[str, list[tuple[str, list[bytes]]]] = {}
        for kind, name, values in modifications:
            changes.setdefault(name, []).append((_MODIFY[kind], _encoded(values)))
        call: GuardedCall = lambda c, controls: c.modify(dn, changes, controls)  # noqa: E731
        return self._guarded("modify", dn, call, only_if, expect)

    def rename(
        self,
        dn: str,
        rdn: str,
        superior: str | None,
        *,
        only_if: str = "",
        expect: Collection[int] = (),
    ) -> Answer:
        """Name an entry anew, removing its old name, and move it if `superior` is given."""
        call: GuardedCall = lambda c, controls: c.modify_dn(  # noqa: E731
            dn, rdn, new_superior=superior, controls=controls
        )
        return self._guarded("rename", dn, call, only_if, expect)

    def delete(self, dn: str, *, only_if: str = "", expect: Collection[int] = ()) -> Answer:
        """Delete an entry."""
        return self._guarded("delete", dn, lambda c, cs: c.delete(dn, cs), only_if, expect)

    def set_password(self, dn: str, password: Secret, *, expect: Collection[int] = ()) -> Answer:
        """Set an entry's password; the server hashes it (RFC 3062)."""
        request, what = PasswdModifyRequestValue(), f"set password of {dn}"
        request["userIdentity"] = dn.encode()
        request["newPasswd"] = password.reveal().encode()
        result, _ = self._exchange(
            what, lambda c: c.extended(PASSWORD_MODIFY, request), writes=True
        )
        # A server may quote what it refuses.
        said = result["message"].replace(password.reveal(), str(password))
        return Answer(results.outcome(what, result["result"], said, expect), said)

    def read(self, dn: str, attributes: Sequence[str], matching: str = ANY_ENTRY) -> Entry | None:
        """Return one entry with these attributes; None if it is absent or does not match."""
        result, entries, _ = self._search(dn, "BASE", matching, attributes)
        code = results.outcome(
            f"read {dn}", result["result"], result["message"], (Code.NO_SUCH_OBJECT,)
        )
        return entries[0] if code == Code.SUCCESS and entries else None

    def search(self, base: str, matching: str, attributes: Sequence[str]) -> Iterator[Entry]:
        """Yield the entries below `base` that match, page by page (RFC 2696)."""
        cookie: bytes | None = None
        while cookie != b"":
            result, entries, _ = self._search(
                base,
                "SUBTREE",
                matching,
                attributes,
                paged_size=self._settings.page_size,
                paged_cookie=cookie,
            )
            results.outcome(f"search {base}", result["result"], result["message"], ())
            yield from entries
            cookie = _cookie(result)

    def page(
        self, base: str, matching: str, attributes: Sequence[str], *, size: int, cookie: bytes
    ) -> Page:
        """Return one page of the entries below `base` that match; an empty cookie is the first.

        Whatever the server holds back is said, not raised. Raises what the operation means where
        there is no page at all; a cookie is good on the connection that gave it.
        """
        result, entries, referred = self._search(
            base, "SUBTREE", matching, attributes, paged_size=size, paged_cookie=cookie or None
        )
        code = results.outcome(f"list {base}", result["result"], result["message"], _CUT_SHORT)
        if code != Code.SUCCESS:
            return Page(tuple(entries), cut_short=f"{base}: {results.name(code)}")
        cut_short = f"{base}: a part of it is on another server" if referred else ""
        return Page(tuple(entries), _cookie(result), cut_short)

    def find(self, bases: Sequence[str], matching: str, attributes: Sequence[str]) -> Entry | None:
        """Return the first entry that matches, wherever below the bases it is."""
        for base in bases:
            for entry in self.search(base, matching, attributes):
                return entry
        return None

    def close(self) -> None:
        """Close the connection; never raises."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.unbind()
        self._drop()

    # --- Exchanges ------------------------------------------------------------------------------

    def _guarded(
        self, verb: str, dn: str, call: GuardedCall, only_if: str, expect: Collection[int]
    ) -> Answer:
        what, controls = f"{verb} {dn}", None
        if only_if and ASSERTION in self.root_dse.controls:
            controls = [(ASSERTION, True, encode(_compiled(only_if)))]
        elif only_if and self.read(dn, NO_ATTRIBUTES, only_if) is None:
            # The next best without RFC 4528: look just before.
            there = self.read(dn, NO_ATTRIBUTES) is not None
            code = Code.ASSERTION_FAILED if there else Code.NO_SUCH_OBJECT
            return Answer(results.outcome(what, code, "", expect))
        return self._write(what, lambda connection: call(connection, controls), expect)

    def _write(self, what: str, call: Call, expect: Collection[int]) -> Answer:
        result, _ = self._exchange(what, call, writes=True)
        code = results.outcome(what, result["result"], result["message"], expect)
        shown = (result.get("controls") or {}).get(POST_READ)
        if not shown:
            return Answer(code, result["message"])
        found = shown["value"]["result"].items()
        entry = Entry("", {name.lower(): tuple(values or ()) for name, values in found})
        return Answer(code, result["message"], entry)

    def _search(
        self, base: str, scope: Scope, matching: str, attributes: Sequence[str], **paged: Any
    ) -> tuple[Result, list[Entry], bool]:
        result, response = self._exchange(
            f"search {base}",
            lambda connection: connection.search(
                base,
                matching,
                scope,
                ldap3.DEREF_NEVER,
                list(attributes),
                time_limit=math.ceil(self._settings.operation_seconds),
                **paged,
            ),
            writes=False,
        )
        referred = any(item["type"] == "searchResRef" for item in response or ())
        return result, _entries(response), referred

    def _exchange(
        self, what: str, call: Call, *, writes: bool
    ) -> tuple[Result, Sequence[Mapping[str, Any]] | None]:
        for again in (True, False):
            connection, sock = self._connected()
            sock.start(self._settings.operation_seconds)
            try:
                _, result, response, _ = call(connection)
            except _NOT_SENT as error:
                # Not all of it left us, so the server cannot have understood it.
                self._drop()
                if not again:
                    raise BackendDown(f"{what}: cannot be sent: {_cause(error)}") from error
            except _BROKEN as error:
                self._drop()
                if writes:
                    raise InDoubt(f"{what}: no answer: {_cause(error)}") from error
                if not again or isinstance(error, TimeoutError):
                    raise RetryLater(f"{what}: no answer: {_cause(error)}") from error
            else:
                return result, response
        raise AssertionError("the second round returns or raises")

    # --- Connecting -----------------------------------------------------------------------------

    def _connected(self) -> tuple[ldap3.Connection, TimedSocket]:
        if self._socket is not None and not self._socket.is_alive():
            self._drop()
        if self._connection is None or self._socket is None:
            return self._connect()
        return self._connection, self._socket

    def _drop(self) -> None:
        sock, self._socket, self._connection = self._socket, None, None
        if sock is not None:
            sock.close()

    def _connect(self) -> tuple[ldap3.Connection, TimedSocket]:
        reasons = []
        for uri in self._settings.uris:
            try:
                self._connection, self._socket = self._open(uri)
            except _BROKEN as error:
                reasons.append(f"{uri}: {_cause(error)}")
            else:
                return self._connection, self._socket
        raise BackendDown(f"cannot connect to {'; '.join(reasons)}")

    def _open(self, uri: str) -> tuple[ldap3.Connection, TimedSocket]:
        settings = self._settings
        server = ldap3.Server(
            uri,
            get_info=ldap3.NONE,
            tls=_VerifiedTls(settings),
            connect_timeout=settings.connect_seconds,
            allowed_referral_hosts=[],
        )
        connection = ldap3.Connection(
            server,
            user=settings.bind_dn,
            password=settings.bind_password.reveal(),
            client_strategy=ldap3.SAFE_SYNC,
            auto_referrals=False,
            check_names=False,
            auto_escape=False,
            auto_encode=False,
            # Bounds the TLS handshake; from then on TimedSocket is exact.
            receive_timeout=math.ceil(settings.connect_seconds),
        )
        try:
            connection.open(read_server_info=False)
            if settings.start_tls and not server.ssl:
                connection.start_tls(read_server_info=False)
            connection.socket = sock = TimedSocket(connection.socket)
            sock.start(settings.connect_seconds)
            _bind(connection, f"{uri} refuses the bind as {settings.bind_dn}")
            sock.start(settings.operation_seconds)
            self._root_dse = _root_dse(connection)
            self.uri, self.is_encrypted = uri, server.ssl or settings.start_tls
        except BaseException:
            if connection.socket is not None:
                connection.socket.close()
            raise
        return connection, sock


class _VerifiedTls(ldap3.Tls):
    """TLS by the standard library's rules; ldap3's own skip IP addresses and need old Pythons."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._ca_file = str(settings.ca_file) if settings.ca_file else None

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:  # noqa: ARG002
        """Replace the connection's socket by an encrypted one."""
        host = connection.server.host.strip("[]")
        connection.socket = verified_tls(connection.socket, host, self._ca_file)


def _bind(connection: ldap3.Connection, refused: str) -> None:
    _, result, _, _ = connection.bind(read_server_info=False)
    code = result["result"]
    if results.OUTCOMES.get(code) is BackendDown:
        raise BackendDown(f"{refused}: {results.name(code)}")
    if code != Code.SUCCESS:  # busy or the like: another server may be better
        raise ConnectionRefusedError(results.name(code))


def _root_dse(connection: ldap3.Connection) -> RootDse:
    asked = ["supportedControl", "supportedExtension", "namingContexts", "subschemaSubentry"]
    _, _, response, _ = connection.search("", ANY_ENTRY, "BASE", ldap3.DEREF_NEVER, asked)
    dse = next(iter(_entries(response)), Entry("", {}))
    return RootDse(
        frozenset(dse.values("supportedControl")),
        frozenset(dse.values("supportedExtension")),
        dse.values("namingContexts"),
        dse.first("subschemaSubentry"),
    )


def _entries(response: Sequence[Mapping[str, Any]] | None) -> list[Entry]:
    return [
        Entry(
            item["dn"],
            {
                name.lower(): tuple(v.decode("utf-8", errors="surrogateescape") for v in values)
                for name, values in item["raw_attributes"].items()
            },
        )
        for item in response or ()
        if item["type"] == "searchResEntry"
    ]


def _cookie(result: Result) -> bytes:
    page = (result.get("controls") or {}).get(PAGED_RESULTS)
    cookie: bytes = page["value"]["cookie"] if page else b""
    return cookie


def _encoded(values: Values) -> list[bytes]:
    return [value.encode("utf-8", errors="surrogateescape") for value in values]


def _compiled(text: str) -> object:
    return compile_filter(parse_filter(text, None, False, False, None, False).elements[0])


def _cause(error: BaseException) -> str:
    return str(error) or type(error).__name__
