"""Doing steps: each is one operation when the directory is as assumed, and safe to repeat.

What an operation finds already done counts as done only after looking.

Rule: an entry whose identity is known is written only if it still is that very entry.
"""

import re
import secrets

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
from bridge_ldap.answers import ANY_ENTRY, NO_ATTRIBUTES, Answer, Modification
from bridge_ldap.client import Client, reach
from bridge_ldap.identity import Identity
from bridge_ldap.mapping import Entry
from bridge_ldap.members import MemberEditor
from bridge_ldap.numbers import NumberPicker
from bridge_ldap.ownership import CREATOR, Ownership
from bridge_ldap.results import Code
from bridge_ldap.settings import Settings
from bridge_ldap.steps import (
    AddEntry,
    AwaitLink,
    DeleteEntry,
    LdapStep,
    LinkEntry,
    LookFirst,
    ModifyEntry,
    ModifyMembers,
    RenameEntry,
    ReplaceReferences,
    SetPassword,
    SwitchFlag,
)

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_REQUIRED = re.compile(r"requires attribute '([^']+)'")

FLAG_ROUNDS = 4
"""How often a number is read and switched before it counts as changing too fast."""

_UNIQUE = ("samaccountname", "userprincipalname")
_NOT_AS_READ = (Code.NO_SUCH_ATTRIBUTE, Code.ATTRIBUTE_OR_VALUE_EXISTS)
_REFUSED_PASSWORD = (Code.CONSTRAINT_VIOLATION, Code.UNWILLING_TO_PERFORM)


@attrs.frozen
class Done:
    """What a step came to: whether it wrote, the entry's link if it told one, whom it awaits."""

    wrote: bool
    link: tuple[str, str] | None = None
    awaited: frozenset[str] = frozenset()


@attrs.frozen
class Executor:
    """Does plans on one connection."""

    settings: Settings
    client: Client

    def execute(self, plan: Plan) -> Receipt:
        """Do the steps in order; see `bridge.plugin.Backend.execute`."""
        link: tuple[str, str] | None = None
        wrote, awaited = False, frozenset[str]()
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
            awaited |= done.awaited
        links = _links(plan, link)
        return Receipt(links, already=not wrote, awaited=awaited)

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
                return Done(self._members.change(step))
            case ReplaceReferences():
                return Done(self._members.replace_references(step))
            case SetPassword():
                return self._set_password(step)
            case SwitchFlag():
                return self._switch(step)
            case AwaitLink():
                return Done(wrote=False, awaited=frozenset({step.resource_id}))

    @property
    def _identity(self) -> Identity:
        return Identity(self.settings.identity_attribute)

    @property
    def _members(self) -> MemberEditor:
        return MemberEditor(self.settings, self.client)

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
        numbers = NumberPicker(self.settings, self.client, step.dn)
        picked = {name: (numbers.free(name, step.numbers[name]),) for name in step.numbers}
        attributes = {**step.attributes, **picked}
        if step.random_password:
            attributes[step.random_password] = (unicode_password(secrets.token_urlsafe(32)),)
        if step.while_empty and not self._members.may_be_empty():
            name, value = step.while_empty
            attributes[name] = (value,)
        answer = self.client.add(
            step.dn,
            attributes,
            show=[self._identity.attribute],
            expect=(Code.ENTRY_ALREADY_EXISTS, Code.NO_SUCH_OBJECT),
        )
        if answer.code == Code.NO_SUCH_OBJECT:
            raise self._no_place(step)
        if answer.code == Code.ENTRY_ALREADY_EXISTS:
            raise self._taken(step)
        numbers.settle(step.numbers, picked)
        entry = answer.entry
        if entry is None or not self._identity.of(entry):
            entry = self.client.read(step.dn, [self._identity.attribute])
        if entry is None:
            raise Surprise(f"{step.dn} is gone again")
        if not (target_id := self._identity.of(entry)):
            raise Park(
                f"{step.dn} shows no {self._identity.attribute}",
                "Let the bridge's account read it, or set identity_attribute.",
            )
        return Done(wrote=True, link=(target_id, entry.dn or step.dn))

    def _no_place(self, step: AddEntry) -> NotApplied:
        above = dn.parent(step.dn)
        if self.client.read(above, NO_ATTRIBUTES) is None:
            return BackendDown(f"{above} does not exist: make it, or mend base_dn")
        # Active Directory lets no attribute name an entry that is not there.
        return Defer(f"what {step.dn} refers to is not in the directory")

    def _taken(self, step: AddEntry) -> NotApplied:
        if self.client.read(step.dn, NO_ATTRIBUTES) is not None:
            return Surprise(f"{step.dn} exists already")
        # Active Directory says the same of a name that must be unique in all of the domain.
        for name, values in step.attributes.items():
            if name.lower() in _UNIQUE and values:
                matching = dn.equals(name, values[0])
                if holder := self.client.find(self._everywhere, matching, self._evidence):
                    return self._conflict(holder)
        return RetryLater(f"{step.dn} is said to exist, and does not")

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
        there = self.client.read(step.new_dn, self._evidence)
        if there and self._identity.of(there) == step.target_id:
            return attrs.evolve(renamed, wrote=False)
        if there and answer.code == Code.ENTRY_ALREADY_EXISTS:
            raise self._conflict(there)
        raise Surprise(f"{step.dn} is not where it was")

    def _delete(self, step: DeleteEntry) -> Done:
        answer = self.client.delete(
            step.dn,
            only_if=self._is_entry(step.target_id),
            expect=(Code.NO_SUCH_OBJECT, Code.ASSERTION_FAILED),
        )
        if answer.code != Code.SUCCESS and step.target_id and (moved := self._find(step.target_id)):
            raise Surprise(f"{step.dn} is now {moved.dn}")
        return Done(wrote=answer.code == Code.SUCCESS)

    def _set_password(self, step: SetPassword) -> Done:
        if step.attribute:
            return self._password_set(step, self._replace_password(step))
        # An extended operation takes no assertion: the next best is to look just before.
        if step.target_id and not self.client.read(
            step.dn, NO_ATTRIBUTES, self._is_entry(step.target_id)
        ):
            raise Surprise(f"{step.dn} is not where it was")
        answer = self.client.set_password(step.dn, step.password, expect=_REFUSED_PASSWORD)
        return self._password_set(step, answer)

    def _replace_password(self, step: SetPassword) -> Answer:
        value = unicode_password(step.password.reveal())
        answer = self.client.modify(
            step.dn,
            [("replace", step.attribute, (value,))],
            only_if=self._is_entry(step.target_id),
            expect=_REFUSED_PASSWORD,
        )
        said = answer.message.replace(step.password.reveal(), str(step.password))
        return attrs.evolve(answer, message=said)

    def _password_set(self, step: SetPassword, answer: Answer) -> Done:
        if answer.code != Code.SUCCESS:
            said = f": {answer.message}" if answer.message else ""
            raise Park(
                f"{step.dn}: the directory refuses the password: {results.name(answer.code)}{said}",
                "Set another password at the identity provider, then retry; or skip this version "
                "to give the password up.",
            )
        return Done(wrote=True)

    def _switch(self, step: SwitchFlag) -> Done:
        for _ in range(FLAG_ROUNDS):
            entry = self.client.read(step.dn, [step.attribute], self._matching(step.target_id))
            if entry is None:
                raise Surprise(f"{step.dn} is not where it was")
            held = entry.first(step.attribute)
            number = int(held or 0)
            switched = number | step.flag if step.on else number & ~step.flag
            if switched == number:
                return Done(wrote=False)
            # The old value is named, so that what somebody else has switched meanwhile stays.
            old: list[Modification] = [("delete", step.attribute, (held,))] if held else []
            changes: list[Modification] = [*old, ("add", step.attribute, (str(switched),))]
            answer = self.client.modify(step.dn, changes, expect=_NOT_AS_READ)
            if answer.code == Code.SUCCESS:
                return Done(wrote=True)
        raise RetryLater(f"{step.attribute} of {step.dn} changes too fast")

    def _find(self, target_id: str) -> Entry | None:
        return self.client.find(self._everywhere, self._identity.equals(target_id), NO_ATTRIBUTES)

    def _is_entry(self, target_id: str) -> str:
        return self._identity.equals(target_id)

    def _matching(self, target_id: str) -> str:
        return self._identity.equals(target_id) or ANY_ENTRY

    @property
    def _everywhere(self) -> tuple[str, ...]:
        return reach(self.settings, self.client)

    @property
    def _evidence(self) -> list[str]:
        kinds = (self.settings.users, self.settings.groups)
        anchors = {kind.anchor for kind in kinds if kind.anchor}
        return [self._identity.attribute, CREATOR, *sorted(anchors)]

    def _conflict(self, holder: Entry) -> NotApplied:
        """Return what it means that this entry has a name that is wanted."""
        kinds = (self.settings.users, self.settings.groups)
        owners = [Ownership(self.settings, kind) for kind in kinds]
        ours = next((one for one in owners if one.is_the_bridge_s(holder)), owners[0])
        return ours.conflict(holder)


def unicode_password(text: str) -> str:
    """Return a password as Active Directory takes it: in quotes, UTF-16 (MS-ADTS 3.1.1.3.1.5.1)."""
    return f'"{text}"'.encode("utf-16-le").decode("utf-8", errors="surrogateescape")


def _links(plan: Plan, link: tuple[str, str] | None) -> tuple[Link, ...]:
    return (Link(plan.entity.id, *link),) if link else ()
