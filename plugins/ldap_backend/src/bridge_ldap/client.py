"""One directory as its user sees it: connects where it must, guards writes, reads page by page.

A write that may only happen to one very entry asks for that in the same operation where the server
can (assertion control, RFC 4528), and else looks just before.

Rule: an operation returns an Answer with success or a code the caller expected, or raises one of
the outcomes of `bridge.plugin`; nothing untyped leaves this file.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from bridge.plugin import BackendDown, InDoubt, RetryLater, Secret
from bridge_ldap import dn as names
from bridge_ldap import results, schema
from bridge_ldap.answers import (
    ANY_ENTRY,
    ASSERTION,
    NO_ATTRIBUTES,
    Answer,
    Modification,
    Page,
    Reply,
    RootDse,
)
from bridge_ldap.door import door_of
from bridge_ldap.mapping import Entry, Values
from bridge_ldap.results import Code
from bridge_ldap.schema import Schema
from bridge_ldap.settings import Settings
from bridge_ldap.wire import Lost, Refused, Scope, Unsent, Wire

_CUT_SHORT = (
    Code.TIME_LIMIT_EXCEEDED,
    Code.SIZE_LIMIT_EXCEEDED,
    Code.REFERRAL,
    Code.ADMIN_LIMIT_EXCEEDED,
    Code.NO_SUCH_OBJECT,
    Code.INSUFFICIENT_ACCESS_RIGHTS,
)

Call = Callable[[Wire], Reply]


class Client:
    """One connection, opened when first needed and anew after it broke; for one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._door = door_of(settings)
        self._wire: Wire | None = None
        self._schema: Schema | None = None

    @property
    def wire(self) -> Wire:
        """The connection; connects. Raises BackendDown."""
        if self._wire is not None and not self._wire.is_alive:
            self._drop()
        if self._wire is None:
            self._wire = self._connect()
        return self._wire

    @property
    def root_dse(self) -> RootDse:
        """What the connected server says of itself; connects. Raises BackendDown."""
        return self.wire.root_dse

    @property
    def schema(self) -> Schema | None:
        """The connected server's schema, read once a connection; None if it cannot be read."""
        where = self.root_dse.subschema
        if self._schema is None and where:
            asked = ["objectClasses", "attributeTypes", "dITContentRules"]
            entry = self.read(where, asked, "(objectClass=subschema)")
            if entry is not None and entry.values("objectClasses"):
                self._schema = schema.parse(*map(entry.values, asked))
        return self._schema

    def add(
        self,
        dn: str,
        attributes: Mapping[str, Values],
        *,
        show: Sequence[str] = (),
        expect: Collection[int] = (),
    ) -> Answer:
        """Add an entry; the Answer's entry has the attributes of `show` if the server can."""
        return self._write(f"add {dn}", lambda wire: wire.add(dn, attributes, show), expect)

    def modify(
        self,
        dn: str,
        modifications: Sequence[Modification],
        *,
        only_if: str = "",
        expect: Collection[int] = (),
    ) -> Answer:
        """Modify an entry in one operation; all of it happens or nothing."""
        return self._guarded(
            "modify", dn, lambda w, if_: w.modify(dn, modifications, if_), only_if, expect
        )

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
        return self._guarded(
            "rename", dn, lambda w, if_: w.rename(dn, rdn, superior, if_), only_if, expect
        )

    def delete(self, dn: str, *, only_if: str = "", expect: Collection[int] = ()) -> Answer:
        """Delete an entry."""
        return self._guarded("delete", dn, lambda w, if_: w.delete(dn, if_), only_if, expect)

    def set_password(self, dn: str, password: Secret, *, expect: Collection[int] = ()) -> Answer:
        """Set an entry's password; the server hashes it (RFC 3062)."""
        what = f"set password of {dn}"
        reply = self._exchange(what, lambda w: w.set_password(dn, password.reveal()), writes=True)
        # A server may quote what it refuses.
        said = reply.message.replace(password.reveal(), str(password))
        return Answer(results.outcome(what, reply.code, said, expect), said)

    def read(self, dn: str, attributes: Sequence[str], matching: str = ANY_ENTRY) -> Entry | None:
        """Return one entry with these attributes; None if it is absent or does not match."""
        reply = self._search(dn, "BASE", matching, attributes)
        expect = (Code.NO_SUCH_OBJECT,)
        code = results.outcome(f"read {dn}", reply.code, reply.message, expect)
        return reply.entries[0] if code == Code.SUCCESS and reply.entries else None

    def search(self, base: str, matching: str, attributes: Sequence[str]) -> Iterator[Entry]:
        """Yield the entries below `base` that match, page by page (RFC 2696)."""
        cookie, size = b"", self._settings.page_size
        while True:
            reply = self._search(base, "SUBTREE", matching, attributes, size=size, cookie=cookie)
            results.outcome(f"search {base}", reply.code, reply.message, ())
            yield from reply.entries
            if not (cookie := reply.cookie):
                return

    def page(
        self, base: str, matching: str, attributes: Sequence[str], *, size: int, cookie: bytes
    ) -> Page:
        """Return one page of the entries below `base` that match; an empty cookie is the first.

        Whatever the server holds back is said, not raised. Raises what the operation means where
        there is no page at all; a cookie is good on the connection that gave it.
        """
        reply = self._search(base, "SUBTREE", matching, attributes, size=size, cookie=cookie)
        code = results.outcome(f"list {base}", reply.code, reply.message, _CUT_SHORT)
        if code != Code.SUCCESS:
            return Page(reply.entries, cut_short=f"{base}: {results.name(code)}")
        cut_short = f"{base}: a part of it is on another server" if reply.is_referred else ""
        return Page(reply.entries, reply.cookie, cut_short)

    def find(self, bases: Sequence[str], matching: str, attributes: Sequence[str]) -> Entry | None:
        """Return the first entry that matches, wherever below the bases it is."""
        for base in bases:
            for entry in self.search(base, matching, attributes):
                return entry
        return None

    def who_am_i(self) -> str:
        """Return whom the server takes us for (RFC 4532): `dn:…`, `u:…`, or empty for nobody."""
        try:
            return self.wire.who_am_i()
        except (Unsent, Lost) as error:
            self._drop()
            raise RetryLater(f"who am I: no answer: {error}") from error

    def close(self) -> None:
        """Close the connection; never raises."""
        if self._wire is not None:
            self._wire.close()
        self._wire = self._schema = None

    # --- Exchanges ------------------------------------------------------------------------------

    def _guarded(
        self,
        verb: str,
        dn: str,
        call: Callable[[Wire, str], Reply],
        only_if: str,
        expect: Collection[int],
    ) -> Answer:
        what, asserted = f"{verb} {dn}", only_if
        if only_if and ASSERTION not in self.root_dse.controls:
            # The next best without RFC 4528: look just before.
            asserted = ""
            if self.read(dn, NO_ATTRIBUTES, only_if) is None:
                there = self.read(dn, NO_ATTRIBUTES) is not None
                code = Code.ASSERTION_FAILED if there else Code.NO_SUCH_OBJECT
                return Answer(results.outcome(what, code, "", expect))
        return self._write(what, lambda wire: call(wire, asserted), expect)

    def _write(self, what: str, call: Call, expect: Collection[int]) -> Answer:
        reply = self._exchange(what, call, writes=True)
        code = results.outcome(what, reply.code, reply.message, expect)
        return Answer(code, reply.message, reply.shown)

    def _search(
        self,
        base: str,
        scope: Scope,
        matching: str,
        attributes: Sequence[str],
        *,
        size: int = 0,
        cookie: bytes = b"",
    ) -> Reply:
        return self._exchange(
            f"search {base}",
            lambda w: w.search(base, scope, matching, attributes, size=size, cookie=cookie),
            writes=False,
        )

    def _exchange(self, what: str, call: Call, *, writes: bool) -> Reply:
        for again in (True, False):
            wire = self.wire
            try:
                return call(wire)
            except Unsent as error:
                self._drop()
                if not again:
                    raise BackendDown(f"{what}: cannot be sent: {error}") from error
            except Lost as error:
                self._drop()
                if writes:
                    raise InDoubt(f"{what}: no answer: {error}") from error
                if not again or error.timed_out:
                    raise RetryLater(f"{what}: no answer: {error}") from error
        raise AssertionError("the second round returns or raises")

    # --- Connecting -----------------------------------------------------------------------------

    def _connect(self) -> Wire:
        reasons = []
        for uri in self._settings.uris:
            try:
                return self._opened(uri)
            except (Lost, Refused) as error:
                reasons.append(f"{uri}: {error}")
        raise BackendDown(f"cannot connect to {'; '.join(reasons)}")

    def _opened(self, uri: str) -> Wire:
        wire = Wire(self._settings, uri)
        try:
            with self._door.ajar():
                try:
                    wire.bind()
                except Refused as error:
                    if results.OUTCOMES.get(error.code) is not BackendDown:
                        raise  # busy or the like: another server may be better
                    why = f"{uri} refuses the bind as {self._settings.bind_dn}: {error}"
                    raise self._door.refused(error.code, why) from None
        except BaseException:
            wire.drop()
            raise
        return wire

    def _drop(self) -> None:
        wire, self._wire, self._schema = self._wire, None, None
        if wire is not None:
            wire.drop()


def reach(settings: Settings, client: Client) -> tuple[str, ...]:
    """Return where an entry is looked for that left its place: all of the directory.

    Those naming contexts that a base is below or at; the bases themselves where none is shown.
    """
    contexts = [
        context
        for context in client.root_dse.naming_contexts
        if any(names.below(base, context) for base in settings.bases)
    ]
    # One context may be below another: both are asked, the nearest to the bases first.
    return tuple(sorted(contexts, key=len, reverse=True)) or settings.bases
