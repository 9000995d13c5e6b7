"""From a resource document to the entry that should stand for it.

Rule: pure and complete: `Wanted.attributes` names every attribute the bridge keeps, those that
should be absent with no values, so that whoever compares knows what is ours and what is not.
"""

from collections.abc import Mapping

import attrs

from bridge.plugin import Attributes, Entity, Park
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
    """What an entry should be: where a new one goes, and what the bridge keeps in it."""

    rdn: dn.Pair
    parent: str
    object_classes: Values
    attributes: Mapping[str, Values]

    @property
    def dn(self) -> str:
        """Where the entry belongs when it is new."""
        return dn.child(*self.rdn, self.parent)

    def value(self, name: str) -> str:
        """Return the first value wanted of an attribute type, in any spelling; or empty."""
        return next(
            (v[0] for own, v in self.attributes.items() if v and own.lower() == name.lower()), ""
        )


def anchor(entity: Entity) -> str:
    """Return the URI by which an entry says whose it is (RFC 2079, RFC 9562 4)."""
    return f"urn:uuid:{entity.id}"


@attrs.frozen
class EntryMapping:
    """The configured rules, parsed."""

    settings: Settings
    _users: Mapping[str, rules.Rule] = attrs.field(init=False)
    _groups: Mapping[str, rules.Rule] = attrs.field(init=False)

    @_users.default
    def _parse_users(self) -> Mapping[str, rules.Rule]:
        return {name: rules.parse(text) for name, text in self.settings.users.rules.items()}

    @_groups.default
    def _parse_groups(self) -> Mapping[str, rules.Rule]:
        return {name: rules.parse(text) for name, text in self.settings.groups.rules.items()}

    def keeps(self, resource_type: str) -> bool:
        """Tell whether this backend keeps entries for resources of a type."""
        return resource_type in ("User", "Group")

    def kind(self, resource_type: str) -> Users | Groups:
        """Return the section of the settings that a kept type is written by."""
        return self.settings.users if resource_type == "User" else self.settings.groups

    def kept(self, resource_type: str) -> tuple[str, ...]:
        """Return the attribute types the bridge keeps in entries of a kept type."""
        if resource_type == "Group":
            return (*self._groups, *filter(None, [self.settings.groups.anchor]))
        policy = self.settings.users.deactivate
        shown = policy.attribute if policy.policy == "attribute" else ""
        return (*self._users, *filter(None, [self.settings.users.anchor, shown]))

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

    def wanted(self, entity: Entity, document: Attributes) -> Wanted:
        """Return the entry for the document of a resource of a kept type.

        Raises Park when the document has no value that can name the entry.
        """
        if entity.type == "Group":
            kept = {name: rule.values(document) for name, rule in self._groups.items()}
            return self._entry(entity, "groups", kept, None)
        active = document.get("active") is not False
        kept = {name: rule.values(document) for name, rule in self._users.items()}
        self._show_state(kept, active=active)
        return self._entry(entity, "users", kept, None if active else self.inactive_base(entity))

    def _entry(
        self, entity: Entity, section: str, kept: dict[str, Values], parent: str | None
    ) -> Wanted:
        kind = self.kind(entity.type)
        if kind.anchor:
            kept[kind.anchor] = (anchor(entity),)
        name = next(iter(kept.get(kind.rdn, ())), "")
        try:
            if (size := dn.stored_bytes(dn.rdn(kind.rdn, name))) > self.settings.rdn_bytes:
                raise ValueError(f"{size} bytes are more than rdn_bytes allows")  # noqa: TRY301
        except ValueError as error:
            raise Park(
                f"{entity.type} {entity.id} cannot be named: {error}",
                "Change the value at the identity provider, or the rule "
                f"{section}.attributes.{kind.rdn} = {kind.rules[kind.rdn]!r}.",
            ) from None
        parent = parent or self.place(kind.base_dn, entity)
        return Wanted((kind.rdn, name), parent, kind.object_classes, kept)

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
