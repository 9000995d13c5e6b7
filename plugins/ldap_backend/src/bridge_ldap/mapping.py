"""From a resource document to the entry that should stand for it.

Rule: pure and complete: `Wanted.attributes` names every attribute the bridge keeps, those that
should be absent with no values, so that whoever compares knows what is ours and what is not.
"""

from collections.abc import Mapping

import attrs

from bridge.plugin import Attributes, Entity, Link, Park
from bridge_ldap import dn, rules
from bridge_ldap.sections import ORGANIZATION, Groups, Users
from bridge_ldap.settings import Settings

Values = tuple[str, ...]
"""All values of one attribute type; text, undecodable bytes as surrogate escapes."""


@attrs.frozen
class Entry:
    """An entry as the server shows it. Attribute types are in small letters."""

    dn: str
    attributes: Mapping[str, Values]

    def values(self, name: str) -> Values:
        """Return the values of an attribute type, in any spelling; empty when absent."""
        return self.attributes.get(name.lower(), ())

    def first(self, name: str) -> str:
        """Return the first value of an attribute type, or empty."""
        return next(iter(self.values(name)), "")


@attrs.frozen
class Ambiguous:
    """Several entries that the rule of adoption fits; `names` are the DNs of some."""

    names: tuple[str, ...]


@attrs.frozen
class Wanted:
    """What an entry should be: where a new one goes, and what the bridge keeps in it.

    `names` are those of the attributes that hold DNs. `awaited` are the resources whose entries
    some of them should name and that have none yet, by attribute type: those are not in
    `attributes`. `initial` is for a new entry only. `inactive` says how the person is shown.
    """

    rdn: dn.Pair
    parent: str
    object_classes: Values
    attributes: Mapping[str, Values]
    names: frozenset[str] = frozenset()
    awaited: Mapping[str, str] = attrs.field(factory=dict)
    initial: Mapping[str, Values] = attrs.field(factory=dict)
    inactive: bool = False

    @property
    def dn(self) -> str:
        """Where the entry belongs when it is new."""
        return dn.child(*self.rdn, self.parent)

    def value(self, name: str) -> str:
        """Return the first value wanted of an attribute type, in any spelling; or empty."""
        return next(
            (v[0] for own, v in self.attributes.items() if v and own.lower() == name.lower()), ""
        )


ANCHOR = "urn:uuid:"
"""How every anchor begins (RFC 9562 4)."""


def anchor(entity: Entity) -> str:
    """Return the URI by which an entry says whose it is (RFC 2079)."""
    return f"{ANCHOR}{entity.id}"


@attrs.frozen
class Rules:
    """The rules of one section, parsed; by attribute type."""

    kept: Mapping[str, rules.Rule]
    initial: Mapping[str, rules.Rule]

    @classmethod
    def parsed(cls, kind: Users | Groups) -> "Rules":
        """Return those of a section."""
        return cls(
            {name: rules.parse(text) for name, text in kind.rules.items()},
            {name: rules.parse(text) for name, text in kind.initial.items()},
        )

    @property
    def names(self) -> frozenset[str]:
        """The attribute types that hold DNs of other resources' entries."""
        return frozenset(name for name, rule in self.kept.items() if rule.refers)


NO_LINKS: Mapping[str, Link] = {}


@attrs.frozen
class EntryMapping:
    """The configured rules, parsed."""

    settings: Settings
    _users: Rules = attrs.field(init=False)
    _groups: Rules = attrs.field(init=False)

    @_users.default
    def _parse_users(self) -> Rules:
        return Rules.parsed(self.settings.users)

    @_groups.default
    def _parse_groups(self) -> Rules:
        return Rules.parsed(self.settings.groups)

    def keeps(self, resource_type: str) -> bool:
        """Tell whether this backend keeps entries for resources of a type."""
        return resource_type in ("User", "Group")

    def kind(self, resource_type: str) -> Users | Groups:
        """Return the section of the settings that a kept type is written by."""
        return self.settings.users if resource_type == "User" else self.settings.groups

    def kept(self, resource_type: str) -> tuple[str, ...]:
        """Return the attribute types the bridge keeps in entries of a kept type."""
        if resource_type == "Group":
            return (*self._groups.kept, *filter(None, [self.settings.groups.anchor]))
        policy = self.settings.users.deactivate
        shown = policy.attribute if policy.policy in ("attribute", "flag") else ""
        return (*self._users.kept, *filter(None, [self.settings.users.anchor, shown]))

    @property
    def references(self) -> frozenset[str]:
        """The attribute types of people's entries that hold DNs of other people's."""
        return self._users.names

    @property
    def initial_of_groups(self) -> Mapping[str, Values]:
        """What every new group gets, whatever it is a group of."""
        return {name: rule.values({}) for name, rule in self._groups.initial.items()}

    def place(self, base_dn: str, entity: Entity) -> str:
        """Return a configured base DN with the organization's name filled in."""
        return base_dn.replace(ORGANIZATION, dn.escape(entity.organization))

    def adopts_below(self, entity: Entity) -> str:
        """Return where entries are looked for that may be taken over."""
        kind = self.kind(entity.type)
        return self.place(kind.existing.below or kind.base_dn, entity)

    def adopts(self, entity: Entity, wanted: Wanted, entry: Entry) -> bool:
        """Tell whether the rule of adoption allows to take an entry of others for a resource's."""
        names = self.kind(entity.type).existing.adopt
        return bool(names) and all(
            _meet(wanted.attributes.get(name, ()), entry.values(name)) for name in names
        )

    def inactive_base(self, entity: Entity) -> str | None:
        """Return where inactive people are, if deactivation moves them."""
        policy = self.settings.users.deactivate
        moves = policy.policy == "move" and policy.base_dn
        return self.place(moves, entity) if moves else None

    def wanted(
        self, entity: Entity, document: Attributes, links: Mapping[str, Link] = NO_LINKS
    ) -> Wanted:
        """Return the entry for the document of a resource of a kept type.

        `links` are those of the resources that it refers to. Raises Park when the document has no
        value that can name the entry.
        """
        kind, rules_ = self.kind(entity.type), self._users
        active, parent = True, None
        if entity.type == "Group":
            rules_ = self._groups
        else:
            active = document.get("active") is not False
            parent = None if active else self.inactive_base(entity)
        kept = {n: rule.values(document) for n, rule in rules_.kept.items() if not rule.refers}
        if entity.type == "User":
            self._show_state(kept, active=active)
        if kind.anchor:
            kept[kind.anchor] = (anchor(entity),)
        name = self._name(entity, kept)
        awaited: dict[str, str] = {}
        for attribute in rules_.names:
            ids = rules_.kept[attribute].values(document)
            if missing := [id_ for id_ in ids if id_ not in links]:
                awaited[attribute] = missing[0]
            else:
                kept[attribute] = tuple(links[id_].name for id_ in ids)
        return Wanted(
            (kind.rdn, name),
            parent or self.place(kind.base_dn, entity),
            kind.object_classes,
            kept,
            names=rules_.names,
            awaited=awaited,
            initial={n: rule.values(document) for n, rule in rules_.initial.items()},
            inactive=not active,
        )

    def _name(self, entity: Entity, kept: Mapping[str, Values]) -> str:
        kind = self.kind(entity.type)
        name = next(iter(kept.get(kind.rdn, ())), "")
        try:
            if (size := dn.stored_bytes(dn.rdn(kind.rdn, name))) > self.settings.rdn_bytes:
                raise ValueError(f"{size} bytes are more than rdn_bytes allows")  # noqa: TRY301
        except ValueError as error:
            section = "groups" if entity.type == "Group" else "users"
            raise Park(
                f"{entity.type} {entity.id} cannot be named: {error}",
                "Change the value at the identity provider, or the rule "
                f"{section}.attributes.{kind.rdn} = {kind.rules[kind.rdn]!r}.",
            ) from None
        return name

    def _show_state(self, kept: dict[str, Values], *, active: bool) -> None:
        policy = self.settings.users.deactivate
        if policy.policy == "attribute" and (
            value := policy.active_value if active else policy.value
        ):
            kept[policy.attribute] = (value,)
        elif policy.policy == "attribute":
            kept.setdefault(policy.attribute, ())


def _meet(some: Values, others: Values) -> bool:
    return not {v.casefold() for v in some}.isdisjoint(v.casefold() for v in others)
