"""Doing steps: each is one operation when the directory is as assumed, and safe to repeat.

What an operation finds already done counts as done only after looking. A membership change that
the server refuses as a whole is narrowed to what is really missing by asking about its own values
alone: O(change) however large the group is.

Rule: an entry whose identity is known is written only if it still is that very entry.
"""

import re

import attrs

from bridge.plugin import (
    BackendDown,
    Defer,
    Link,
    NotApplied,
    Park,
    Plan,
    Receipt,
    RetryLater,
    Surprise,
)
from bridge_ldap import dn, results
from bridge_ldap.client import NO_ATTRIBUTES, Client, Modification
from bridge_ldap.mapping import Entry, Values
from bridge_ldap.numbers import NumberPicker
from bridge_ldap.planning import conflict
from bridge_ldap.results import Code
from bridge_ldap.settings import Settings
from bridge_ldap.steps import (
    AddEntry,
    DeleteEntry,
    LdapStep,
    LinkEntry,
    LookFirst,
    ModifyEntry,
    ModifyMembers,
    RenameEntry,
    ReplaceReferences,
    SetPassword,
)

MEMBER_ROUNDS = 4
"""How often one membership change is narrowed before the group counts as changing too fast."""

QUESTIONS = 50
"""Up to so many values are asked for one by one; for more the whole attribute is read."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_REQUIRED = re.compile(r"requires attribute '([^']+)'")

_NOT_AS_ASSUMED = (
    Code.NO_SUCH_ATTRIBUTE,
    Code.ATTRIBUTE_OR_VALUE_EXISTS,
    # Active Directory and Samba for the same two:
    Code.UNWILLING_TO_PERFORM,
    Code.ENTRY_ALREADY_EXISTS,
)
_TOO_MUCH = (Code.SIZE_LIMIT_EXCEEDED, Code.ADMIN_LIMIT_EXCEEDED)
_REFUSED_PASSWORD = (Code.CONSTRAINT_VIOLATION, Code.UNWILLING_TO_PERFORM)
_MEMBER_CODES = (
    *_NOT_AS_ASSUMED,
    *_TOO_MUCH,
    Code.ASSERTION_FAILED,
    Code.OBJECT_CLASS_VIOLATION,
    Code.NO_SUCH_OBJECT,
)


@attrs.frozen
class Done:
    """What a step came to: whether it wrote, and the entry's link when it told us one."""

    wrote: bool
    link: tuple[str, str] | None = None


@attrs.frozen
class Executor:
    """Does plans on one connection."""

    settings: Settings
    client: Client

    def execute(self, plan: Plan) -> Receipt:
        """Do the steps in order; see `bridge.plugin.Backend.execute`."""
        link: tuple[str, str] | None = None
        wrote = False
        for position, step in enumerate(plan.steps):
            try:
                done = self._do(step)  # type: ignore[arg-type]  # our own plans hold our own steps
            except NotApplied as error:
                if isinstance(error, Park) and not error.next_step:
                    cure = self._cure(error.reason, plan.entity.type)
                    error = attrs.evolve(error, next_step=cure)
                # References to the old name are found by the old name: until they are mended, the
                # link keeps it.
                if not any(isinstance(s, ReplaceReferences) for s in plan.steps[position:]):
                    error = attrs.evolve(error, links=_links(plan, link))
                raise error from None
            wrote = wrote or done.wrote
            link = done.link or link
        adopted = any(isinstance(step, LinkEntry) and step.adopted for step in plan.steps)
        return Receipt(_links(plan, link), already=not wrote, adopted=adopted)

    def _do(self, step: LdapStep) -> Done:
        match step:
            case AddEntry():
                return self._add(step)
            case LookFirst():
                raise Surprise(step.reason)
            case LinkEntry():
                return Done(wrote=False, link=(step.target_id, step.dn))
            case ModifyEntry():
                return self._modify(step)
            case RenameEntry():
                return self._rename(step)
            case DeleteEntry():
                return self._delete(step)
            case ModifyMembers():
                return Done(self._change_members(step))
            case ReplaceReferences():
                return self._replace_references(step)
            case SetPassword():
                return self._set_password(step)

    def _cure(self, reason: str, resource_type: str) -> str:
        """Return the next step for a refusal: the rule of an attribute that the server named."""
        is_user = resource_type == "User"
        rules = self.settings.users.rules if is_user else self.settings.groups.rules
        section = "users" if is_user else "groups"
        said = reason.rpartition("): ")[2]
        words = set(_WORD.findall(said))
        if named := next((name for name in rules if name in words), None):
            return (
                "Change the value at the identity provider, or the rule "
                f"{section}.attributes.{named} = {rules[named]!r}."
            )
        if wanted := _REQUIRED.search(said):
            return f"Add a rule for it: {section}.attributes.{wanted[1]}."
        return f"Mend the entry in the directory, or the settings of {section}."

    # --- Entries --------------------------------------------------------------------------------

    def _add(self, step: AddEntry) -> Done:
        identity = self.settings.identity_attribute
        numbers = NumberPicker(self.settings, self.client, step.dn)
        picked = {name: (numbers.free(name, step.numbers[name]),) for name in step.numbers}
        answer = self.client.add(
            step.dn,
            {**step.attributes, **picked},
            show=[identity],
            expect=(Code.ENTRY_ALREADY_EXISTS, Code.NO_SUCH_OBJECT),
        )
        if answer.code == Code.NO_SUCH_OBJECT:
            raise BackendDown(f"{dn.parent(step.dn)} does not exist: make it, or mend base_dn")
        if answer.code == Code.ENTRY_ALREADY_EXISTS:
            raise Surprise(f"{step.dn} exists already")
        numbers.settle(step.numbers, picked)
        if answer.entry and (target_id := answer.entry.first(identity)):
            return Done(wrote=True, link=(target_id, step.dn))
        entry = self.client.read(step.dn, [identity])
        if entry is None:
            raise Surprise(f"{step.dn} is gone again")
        if not entry.first(identity):
            raise Park(
                f"{step.dn} shows no {identity}",
                "Let the bridge's account read it, or set identity_attribute.",
            )
        return Done(wrote=True, link=(entry.first(identity), step.dn))

    def _modify(self, step: ModifyEntry) -> Done:
        changes: list[Modification] = []
        if step.object_classes:
            changes.append(("add", "objectClass", step.object_classes))
        numbers = NumberPicker(self.settings, self.client, step.dn)
        picked = {name: (numbers.free(name, step.numbers[name]),) for name in step.numbers}
        changes += (("replace", name, values) for name, values in step.replaced.items())
        changes += (("add", name, values) for name, values in picked.items())
        self.client.modify(step.dn, changes, only_if=self._is_entry(step.target_id))
        numbers.settle(step.numbers, picked)
        return Done(wrote=True)

    def _rename(self, step: RenameEntry) -> Done:
        renamed = Done(wrote=True, link=(step.target_id, step.new_dn))
        answer = self.client.rename(
            step.dn,
            step.rdn,
            step.superior,
            only_if=self._is_entry(step.target_id),
            expect=(Code.NO_SUCH_OBJECT, Code.ASSERTION_FAILED, Code.ENTRY_ALREADY_EXISTS),
        )
        if answer.code == Code.SUCCESS:
            return renamed
        identity = self.settings.identity_attribute
        there = self.client.read(step.new_dn, [identity, "creatorsName"])
        if there and there.first(identity) == step.target_id:
            return attrs.evolve(renamed, wrote=False)
        if there and answer.code == Code.ENTRY_ALREADY_EXISTS:
            raise conflict(self.settings, there)
        raise Surprise(f"{step.dn} is not where it was")

    def _delete(self, step: DeleteEntry) -> Done:
        answer = self.client.delete(
            step.dn,
            only_if=self._is_entry(step.target_id),
            expect=(Code.NO_SUCH_OBJECT, Code.ASSERTION_FAILED),
        )
        if answer.code != Code.SUCCESS and (moved := self._find(step.target_id)):
            raise Surprise(f"{step.dn} is now {moved.dn}")
        return Done(wrote=answer.code == Code.SUCCESS)

    def _set_password(self, step: SetPassword) -> Done:
        # An extended operation takes no assertion: the next best is to look just before.
        if step.target_id and not self.client.read(
            step.dn, NO_ATTRIBUTES, self._is_entry(step.target_id)
        ):
            raise Surprise(f"{step.dn} is not where it was")
        answer = self.client.set_password(step.dn, step.password, expect=_REFUSED_PASSWORD)
        if answer.code != Code.SUCCESS:
            said = f": {answer.message}" if answer.message else ""
            raise Park(
                f"{step.dn}: the directory refuses the password: {results.name(answer.code)}{said}",
                "Set another password at the identity provider, then retry; or skip this version "
                "to give the password up.",
            )
        return Done(wrote=True)

    # --- Members --------------------------------------------------------------------------------

    def _replace_references(self, step: ReplaceReferences) -> Done:
        holders = list(
            self.client.search(step.base, dn.equals(step.attribute, step.old), NO_ATTRIBUTES)
        )
        for holder in holders:
            self._change_members(
                ModifyMembers(
                    holder.dn,
                    "",
                    step.attribute,
                    added=(step.new,) if step.new else (),
                    removed=(step.old,),
                    placeholder=self.settings.groups.placeholder(holder.dn),
                )
            )
        return Done(wrote=bool(holders))

    def _change_members(self, step: ModifyMembers) -> bool:
        """Make the change and tell whether anything was to do.

        The placeholder is not known to be there: the modify asks for its absence (RFC 4528) when
        it adds, and brings it back when the server refuses the group to become empty.
        """
        stands_in: list[Modification] = []  # what happens to the placeholder
        for _ in range(MEMBER_ROUNDS):
            if not (step.added or step.removed):
                return False
            guards = not stands_in and _may_replace_placeholder(step)
            absent = dn.none_of(dn.equals(step.attribute, step.placeholder)) if guards else ""
            answer = self.client.modify(
                step.dn,
                [*_edits(step), *stands_in],
                only_if=dn.all_of(self._is_entry(step.target_id), absent),
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
                    first, second = map(self._change_members, _halves(step))
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

    def _find(self, target_id: str) -> Entry | None:
        matching = dn.equals(self.settings.identity_attribute, target_id)
        return self.client.find(self.settings.bases, matching, NO_ATTRIBUTES)

    def _is_entry(self, target_id: str) -> str:
        return dn.equals(self.settings.identity_attribute, target_id) if target_id else ""


def _links(plan: Plan, link: tuple[str, str] | None) -> tuple[Link, ...]:
    return (Link(plan.entity.id, *link),) if link else ()


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
