"""Changing who is in a group: one modify where it is as assumed, and narrowed where it is not.

A change that the server refuses as a whole is narrowed to what is really missing by asking about
its own values alone: O(change) however large the group is.

Rule: what is found done already counts as done only after looking.
"""

import attrs

from bridge.plugin import Defer, RetryLater
from bridge_ldap import dn, results
from bridge_ldap.answers import NO_ATTRIBUTES, Modification
from bridge_ldap.client import Client
from bridge_ldap.identity import Identity
from bridge_ldap.mapping import Values
from bridge_ldap.results import Code
from bridge_ldap.settings import Settings
from bridge_ldap.steps import ModifyMembers, ReplaceReferences

MEMBER_ROUNDS = 4
"""How often one membership change is narrowed before the group counts as changing too fast."""

QUESTIONS = 50
"""Up to so many values are asked for one by one; for more the whole attribute is read."""

_NOT_AS_ASSUMED = (
    Code.NO_SUCH_ATTRIBUTE,
    Code.ATTRIBUTE_OR_VALUE_EXISTS,
    # Active Directory and Samba for the same two:
    Code.UNWILLING_TO_PERFORM,
    Code.ENTRY_ALREADY_EXISTS,
)
_TOO_MUCH = (Code.SIZE_LIMIT_EXCEEDED, Code.ADMIN_LIMIT_EXCEEDED)
_MEMBER_CODES = (
    *_NOT_AS_ASSUMED,
    *_TOO_MUCH,
    Code.ASSERTION_FAILED,
    Code.OBJECT_CLASS_VIOLATION,
    Code.NO_SUCH_OBJECT,
)


@attrs.frozen
class MemberEditor:
    """Changes memberships on one connection."""

    settings: Settings
    client: Client

    def may_be_empty(self) -> bool:
        """Tell whether a group needs no placeholder, as far as the server's schema decides that."""
        groups = self.settings.groups
        if groups.empty_member != "auto" or (schema := self.client.schema) is None:
            return False
        return groups.member_attribute.lower() not in schema.must(groups.object_classes)

    def replace_references(self, step: ReplaceReferences) -> bool:
        """Make the change wherever it is due and tell whether anything was to do."""
        holders = list(
            self.client.search(step.base, dn.equals(step.attribute, step.old), NO_ATTRIBUTES)
        )
        groups = self.settings.groups
        for holder in holders:
            is_group = step.attribute == groups.member_attribute
            self.change(
                ModifyMembers(
                    holder.dn,
                    "",
                    step.attribute,
                    added=(step.new,) if step.new else (),
                    removed=(step.old,),
                    placeholder=groups.placeholder(holder.dn) if is_group else "",
                )
            )
        return bool(holders)

    def change(self, step: ModifyMembers) -> bool:
        """Make the change and tell whether anything was to do.

        The placeholder is not known to be there: the modify asks for its absence (RFC 4528) when
        it adds, and brings it back when the server refuses the group to become empty.
        """
        if step.placeholder and self.may_be_empty():
            step = attrs.evolve(step, placeholder="")
        identity = Identity(self.settings.identity_attribute)
        stands_in: list[Modification] = []  # what happens to the placeholder
        for _ in range(MEMBER_ROUNDS):
            if not (step.added or step.removed):
                return False
            guards = not stands_in and _may_replace_placeholder(step)
            absent = dn.none_of(dn.equals(step.attribute, step.placeholder)) if guards else ""
            answer = self.client.modify(
                step.dn,
                [*_edits(step), *stands_in],
                only_if=dn.all_of(identity.equals(step.target_id), absent),
                expect=_MEMBER_CODES,
            )
            match answer.code:
                case Code.SUCCESS:
                    return True
                case Code.ASSERTION_FAILED if guards and self._holds(step, step.placeholder):
                    stands_in = [("delete", step.attribute, (step.placeholder,))]
                case Code.OBJECT_CLASS_VIOLATION if step.placeholder and not stands_in:
                    stands_in = [("add", step.attribute, (step.placeholder,))]
                case code if code in _TOO_MUCH and len(step.added) + len(step.removed) > 1:
                    first, second = map(self.change, _halves(step))
                    return first or second
                case Code.NO_SUCH_OBJECT if self.client.read(step.dn, NO_ATTRIBUTES):
                    raise Defer(f"a new member of {step.dn} is not in the directory")
                case code if code in _NOT_AS_ASSUMED and (less := self._narrowed(step)) != step:
                    step, stands_in = less, []
                case code:
                    results.outcome(f"modify {step.dn}", code, answer.message, ())
        raise RetryLater(f"{step.dn} changes too fast")

    def _narrowed(self, step: ModifyMembers) -> ModifyMembers:
        names = (*step.added, *step.removed)
        if len(names) <= QUESTIONS:
            held = {name for name in names if self._holds(step, name)}
        else:
            entry = self.client.read(step.dn, [step.attribute])
            key = self.settings.groups.member_key
            keys = {key(name) for name in entry.values(step.attribute)} if entry else set()
            held = {name for name in names if key(name) in keys}
        return attrs.evolve(
            step,
            added=tuple(name for name in step.added if name not in held),
            removed=tuple(name for name in step.removed if name in held),
        )

    def _holds(self, step: ModifyMembers, name: str) -> bool:
        matching = dn.equals(step.attribute, name)
        return self.client.read(step.dn, NO_ATTRIBUTES, matching) is not None


def _edits(step: ModifyMembers) -> list[Modification]:
    edits: list[Modification] = [("add", step.attribute, step.added)] if step.added else []
    return [*edits, ("delete", step.attribute, step.removed)] if step.removed else edits


def _may_replace_placeholder(step: ModifyMembers) -> bool:
    return bool(step.added and step.placeholder) and not any(
        dn.same(step.placeholder, name) for name in (*step.added, *step.removed)
    )


def _halves(step: ModifyMembers) -> tuple[ModifyMembers, ModifyMembers]:
    def half(names: Values, *, first: bool) -> Values:
        middle = (len(names) + 1) // 2
        return names[:middle] if first else names[middle:]

    # Members come before members go, so that the group does not become empty on the way.
    if step.added and step.removed:
        return attrs.evolve(step, removed=()), attrs.evolve(step, added=())
    return (
        attrs.evolve(
            step, added=half(step.added, first=True), removed=half(step.removed, first=True)
        ),
        attrs.evolve(
            step, added=half(step.added, first=False), removed=half(step.removed, first=False)
        ),
    )
