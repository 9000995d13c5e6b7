"""The operations of a plan as values that print themselves as LDIF.

A step names its entry by DN and, where it is known, by the immutable identity the link holds:
the server is asked to do it only to that very entry.

Rule: a step is complete in itself; doing it needs no further knowledge of the resource.
"""

from collections.abc import Mapping

import attrs

from bridge.plugin import Drift, DriftKind, Secret
from bridge_ldap import dn as names
from bridge_ldap import ldif
from bridge_ldap.mapping import Values

Ranges = Mapping[str, tuple[int, int]]
"""First and last number, by the attribute type that is to get a free one."""


@attrs.frozen
class AddEntry:
    """Add an entry with these attributes, and a free number of each of `numbers`.

    `random_password` is the attribute that gets a password nobody knows; `while_empty` attribute
    and value that it has where the server's schema wants a group to have a member.
    """

    dn: str
    attributes: Mapping[str, Values]
    numbers: Ranges = attrs.field(factory=dict)
    random_password: str = ""
    while_empty: tuple[str, str] | None = None

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends."""
        return (Drift(DriftKind.MISSING),)

    def __str__(self) -> str:
        lines = (
            ldif.line(name, value) for name, values in self.attributes.items() for value in values
        )
        secret = f"# with {self.random_password}: a random one\n" if self.random_password else ""
        empty = "# {} while empty: {}\n".format(*self.while_empty) if self.while_empty else ""
        record = ldif.record(self.dn, "changetype: add", *lines)
        return f"{_numbered(self.numbers)}{secret}{empty}{record}"


@attrs.frozen
class LookFirst:
    """The change alone does not tell what to do; doing this step raises Surprise."""

    reason: str

    def __str__(self) -> str:
        return f"# {self.reason}: the directory is looked at first\n"


@attrs.frozen
class LinkEntry:
    """Take an entry for the resource's own; writes nothing.

    It proved to be, or others made it and the rule of adoption says so (`adopted`).
    """

    dn: str
    target_id: str
    adopted: bool = False

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends."""
        return (Drift(DriftKind.RENAMED),)

    def __str__(self) -> str:
        return f"# {'adopted' if self.adopted else 'found'} and linked: {self.dn}\n"


@attrs.frozen
class ModifyEntry:
    """Give these attributes exactly these values, and add what is missing of the others."""

    dn: str
    target_id: str
    replaced: Mapping[str, Values]
    object_classes: Values = ()
    numbers: Ranges = attrs.field(factory=dict)

    @property
    def changed(self) -> tuple[str, ...]:
        """The attribute types that get other values."""
        classes = ("objectClass",) if self.object_classes else ()
        return (*classes, *self.replaced, *self.numbers)

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends."""
        return (Drift(DriftKind.CHANGED, self.changed),)

    def __str__(self) -> str:
        lines: list[str] = []
        if self.object_classes:
            lines += ldif.change("add", "objectClass", self.object_classes)
        for name, values in self.replaced.items():
            lines += ldif.change("replace", name, values)
        return _numbered(self.numbers) + ldif.record(self.dn, "changetype: modify", *lines)


@attrs.frozen
class RenameEntry:
    """Name an entry anew, below another entry if `superior` is given; the old name goes."""

    dn: str
    target_id: str
    rdn: str
    superior: str | None = None

    @property
    def new_dn(self) -> str:
        """The DN afterwards."""
        above = names.parent(self.dn) if self.superior is None else self.superior
        return f"{self.rdn},{above}"

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends."""
        return (Drift(DriftKind.RENAMED, (self.rdn.partition("=")[0],)),)

    def __str__(self) -> str:
        moved = [ldif.line("newsuperior", self.superior)] if self.superior else []
        return ldif.record(
            self.dn, "changetype: modrdn", ldif.line("newrdn", self.rdn), "deleteoldrdn: 1", *moved
        )


@attrs.frozen
class DeleteEntry:
    """Delete an entry."""

    dn: str
    target_id: str

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends."""
        return (Drift(DriftKind.EXTRA, removes=1),)

    def __str__(self) -> str:
        return ldif.record(self.dn, "changetype: delete")


@attrs.frozen
class ModifyMembers:
    """Add and remove members in one modify. `placeholder` is held only while nobody else is."""

    dn: str
    target_id: str
    attribute: str
    added: Values = ()
    removed: Values = ()
    placeholder: str = ""

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends."""
        return (Drift(DriftKind.MEMBERS, (self.attribute,), removes=len(self.removed)),)

    def __str__(self) -> str:
        lines: list[str] = []
        if self.added:
            lines += ldif.change("add", self.attribute, self.added)
        if self.removed:
            lines += ldif.change("delete", self.attribute, self.removed)
        text = ldif.record(self.dn, "changetype: modify", *lines)
        return (
            f"# {self.attribute} while empty: {self.placeholder}\n{text}"
            if self.placeholder
            else text
        )


@attrs.frozen
class ReplaceReferences:
    """Wherever an entry below `base` holds `old`, make it `new`, or nothing."""

    base: str
    attribute: str
    old: str
    new: str | None = None

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends."""
        return ()

    def __str__(self) -> str:
        done = f"becomes {self.new}" if self.new else "is removed"
        return f"# below {self.base}, wherever it is held, {self.attribute} {self.old} {done}\n"


@attrs.frozen
class SwitchFlag:
    """Set or clear one bit of a number, and leave the others as they are."""

    dn: str
    target_id: str
    attribute: str
    flag: int
    on: bool

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends."""
        return (Drift(DriftKind.CHANGED, (self.attribute,)),)

    def __str__(self) -> str:
        return f"# {'set' if self.on else 'clear'} bit {self.flag} of {self.attribute}: {self.dn}\n"


@attrs.frozen
class AwaitLink:
    """An attribute names another resource's entry, which is not there yet: it is left as it is."""

    attribute: str
    resource_id: str

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends: nothing, it waits."""
        return ()

    def __str__(self) -> str:
        return f"# {self.attribute}: {self.resource_id} has no entry yet\n"


@attrs.frozen
class SetPassword:
    """Set a person's password: by password modify (RFC 3062), or as `attribute` takes it."""

    dn: str
    target_id: str
    password: Secret
    attribute: str = ""

    @property
    def drift(self) -> tuple[Drift, ...]:
        """What doing this mends."""
        return ()

    def __str__(self) -> str:
        how = f"replace {self.attribute}" if self.attribute else "password modify (RFC 3062)"
        return f"# {how} of {self.dn}: {self.password}\n"


LdapStep = (
    AddEntry
    | LookFirst
    | LinkEntry
    | ModifyEntry
    | RenameEntry
    | DeleteEntry
    | ModifyMembers
    | ReplaceReferences
    | SetPassword
    | SwitchFlag
    | AwaitLink
)


def _numbered(numbers: Ranges) -> str:
    return "".join(
        f"# with {name}: a free number of {first} to {last}\n"
        for name, (first, last) in numbers.items()
    )
