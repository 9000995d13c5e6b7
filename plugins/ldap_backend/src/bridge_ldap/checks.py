"""What `bridge check` says about a directory: each finding with its cause and the next step.

Rule: changes nothing; what can only be guessed from outside is said to be a guess.
"""

from collections.abc import Iterator, Sequence

from bridge.plugin import Finding, NotApplied
from bridge_ldap import dn
from bridge_ldap.answers import (
    ASSERTION,
    NO_ATTRIBUTES,
    PASSWORD_MODIFY,
    POST_READ,
    WHO_AM_I,
)
from bridge_ldap.client import Client
from bridge_ldap.schema import Schema
from bridge_ldap.sections import Groups, Users
from bridge_ldap.settings import Settings

LOCK_ATTRIBUTES = ("pwdAccountLockedTime", "nsAccountLock", "userAccountControl")
"""Attributes that really stop a login, by the servers that know them."""


def check(settings: Settings, client: Client) -> Sequence[Finding]:
    """Return the findings for a directory. Raises BackendDown when it cannot be reached."""
    dse = client.root_dse
    tls = "with TLS, certificate verified" if client.wire.is_encrypted else "WITHOUT TLS"
    found = [
        _fine("BRG-LDAP-001", f"Connected to {client.wire.uri} as {settings.bind_dn}, {tls}."),
        *_account(settings, client),
        *_bases(settings, client),
    ]
    if missing := [name for name, oid in _WISHED.items() if oid not in dse.controls]:
        found.append(
            _fine(
                "BRG-LDAP-003",
                f"The server has no {' and no '.join(missing)}: some changes take one more look.",
            )
        )
    known = client.schema
    if known is None:
        next_step = f"Let {settings.bind_dn} read the subschema subentry."
        return [*found, _wrong("BRG-LDAP-020", "The schema cannot be read.", next_step)]
    return [
        *found,
        *_mapped(known, "users", settings.users),
        *_mapped(known, "groups", settings.groups),
        *_empty_groups(known, settings),
        *_deactivation(known, settings),
        *_passwords(settings, client),
        *_references(known, settings),
    ]


_SERVER_MADE = frozenset(
    {"instancetype", "ntsecuritydescriptor", "objectcategory", "objectsid", "samaccountname"}
)
"""What Active Directory's schema wants of every entry and the server itself fills in."""

_WISHED = {"assertion control (RFC 4528)": ASSERTION, "post-read control (RFC 4527)": POST_READ}


def _fine(code: str, message: str) -> Finding:
    return Finding(ok=True, code=code, message=message)


def _wrong(code: str, message: str, next_step: str) -> Finding:
    return Finding(ok=False, code=code, message=message, next_step=next_step)


def _account(settings: Settings, client: Client) -> Iterator[Finding]:
    if settings.bind == "external" and WHO_AM_I in client.root_dse.extensions:
        taken_for = client.who_am_i().removeprefix("dn:")
        if not dn.same(taken_for, settings.bind_dn):
            yield _wrong(
                "BRG-LDAP-004",
                f"The server takes the bridge for {taken_for or 'nobody'}, not {settings.bind_dn}.",
                "Correct bind_dn, or the server's mapping of certificates and users to accounts.",
            )
            return
    if client.read(settings.bind_dn, NO_ATTRIBUTES) is None:
        yield _wrong(
            "BRG-LDAP-002",
            f"{settings.bind_dn} has no entry of its own: probably it is the rootDN, which may do "
            "everything and is bound by no limit.",
            "Make an account that may write below the base DNs only, and bind as that.",
        )


def _bases(settings: Settings, client: Client) -> Iterator[Finding]:
    for base in settings.bases:
        try:
            entry = client.read(base, [settings.identity_attribute])
        except NotApplied as error:
            yield _wrong("BRG-LDAP-010", str(error), f"Let {settings.bind_dn} read {base}.")
            continue
        if entry is None:
            yield _wrong(
                "BRG-LDAP-010",
                f"{base} does not exist, or {settings.bind_dn} may not see it.",
                "Make that entry, correct base_dn, or let the account read it.",
            )
        elif not entry.first(settings.identity_attribute):
            yield _wrong(
                "BRG-LDAP-011",
                f"{base} shows no {settings.identity_attribute}.",
                "Let the account read it, or set identity_attribute to what this server has "
                "(nsUniqueId, objectGUID).",
            )
        else:
            yield _fine("BRG-LDAP-010", f"{base} is there and readable.")


def _mapped(known: Schema, section: str, kind: Users | Groups) -> Iterator[Finding]:
    unknown = [name for name in kind.object_classes if name.lower() not in known.classes]
    for name in unknown:
        yield _wrong(
            "BRG-LDAP-021",
            f"{section}.object_classes: the server has no object class {name}.",
            "Correct the name, or load the schema that defines it.",
        )
    problems = [] if unknown else [*_misfits(known, section, kind), *_gaps(known, section, kind)]
    yield from problems
    if not (unknown or problems):
        yield _fine("BRG-LDAP-022", f"Every attribute of {section} fits the server's schema.")


def _lines(section: str, kind: Users | Groups) -> Iterator[tuple[str, str, str]]:
    """Yield attribute type, key and value of every line of the settings that writes one."""
    for name, rule in kind.rules.items():
        yield name, f"{section}.attributes.{name}", rule
    for name, rule in kind.initial.items():
        yield name, f"{section}.initial.{name}", rule
    for name, numbers in kind.numbers.items():
        yield name, f"{section}.numbers.{name}", numbers
    if kind.anchor:
        yield kind.anchor, f"{section}.anchor", kind.anchor


def _misfits(known: Schema, section: str, kind: Users | Groups) -> Iterator[Finding]:
    for name, key, value in _lines(section, kind):
        if not known.knows(name):
            problem = f"the server has no attribute type {name}"
        elif not known.allows(name, kind.object_classes):
            problem = f"{', '.join(kind.object_classes)} does not allow {name}"
        elif name.lower() in known.single_valued and value.startswith("all("):
            problem = f"{name} may have one value only"
        else:
            continue
        yield _wrong(
            "BRG-LDAP-022",
            f'{key} = "{value}": {problem}.',
            f'Correct the line, add an object class, or remove it: {key} = "".',
        )


def _gaps(known: Schema, section: str, kind: Users | Groups) -> Iterator[Finding]:
    written = {"objectclass"}
    for name, _, _ in _lines(section, kind):
        written |= known.synonyms.get(name.lower(), frozenset())
    if isinstance(kind, Groups):
        written.add(kind.member_attribute.lower())
    for name in sorted(known.must(kind.object_classes) - written - _SERVER_MADE):
        key = f"{section}.attributes.{name}"
        yield _wrong(
            "BRG-LDAP-023",
            f"{', '.join(kind.object_classes)} requires {name}, and nothing writes it.",
            f'Add a line, for example {key} = "displayName | userName".',
        )


def _empty_groups(known: Schema, settings: Settings) -> Iterator[Finding]:
    groups = settings.groups
    wants_member = groups.member_attribute.lower() in known.must(groups.object_classes)
    name = groups.object_classes[0]
    if wants_member and groups.empty_member == "none":
        yield _wrong(
            "BRG-LDAP-030",
            f"This server refuses a {name} without {groups.member_attribute}.",
            'Set groups.empty_member = "auto" (or a DN) to give empty groups a placeholder.',
        )
    elif wants_member and groups.empty_member == "auto":
        yield _fine(
            "BRG-LDAP-030", f"An empty {name} holds its own DN: this server wants a member."
        )
    elif not wants_member and groups.empty_member not in ("auto", "none"):
        yield _fine(
            "BRG-LDAP-030",
            'This server allows empty groups: groups.empty_member = "auto" needs no placeholder.',
        )


def _deactivation(known: Schema, settings: Settings) -> Iterator[Finding]:
    policy = settings.users.deactivate
    sets = policy.policy in ("attribute", "flag")
    if sets and not known.knows(policy.attribute):
        yield _wrong(
            "BRG-LDAP-031",
            f"users.deactivate.attribute: the server has no attribute type {policy.attribute}.",
            "Choose another attribute, or load the overlay or schema that defines it.",
        )
    elif not sets or policy.attribute not in LOCK_ATTRIBUTES:
        locks = [name for name in LOCK_ATTRIBUTES if known.knows(name)]
        hint = f" This server has {locks[0]} for that." if locks else ""
        yield _fine(
            "BRG-LDAP-031",
            f"Deactivated people keep their password: policy `{policy.policy}` shows the state "
            f"and does not stop a login.{hint}",
        )


def _passwords(settings: Settings, client: Client) -> Iterator[Finding]:
    users = settings.users
    if "unicodePwd" in (users.passwords, users.random_password):
        if client.wire.is_encrypted:
            yield _fine(
                "BRG-LDAP-034",
                f"Passwords are set as unicodePwd; whether {settings.bind_dn} may set them cannot "
                "be seen from here.",
            )
        else:
            yield _wrong(
                "BRG-LDAP-034",
                "users.passwords: Active Directory takes unicodePwd over TLS only.",
                "Use ldaps:// in uris, or start_tls = true.",
            )
    elif users.passwords == "extended" and PASSWORD_MODIFY not in client.root_dse.extensions:
        yield _wrong(
            "BRG-LDAP-034",
            f"users.passwords: the server offers no password modify ({PASSWORD_MODIFY}).",
            'Set users.passwords = "no", or let the server offer it.',
        )
    elif users.passwords == "extended":
        yield _fine(
            "BRG-LDAP-034",
            f"Passwords are set by password modify (RFC 3062); whether {settings.bind_dn} may set "
            "them cannot be seen from here.",
        )


def _references(known: Schema, settings: Settings) -> Iterator[Finding]:
    member = settings.groups.member_attribute
    if settings.referential_integrity:
        message = (
            f"The server is trusted to mend {member} values after renames and deletions; whether "
            "it does cannot be seen from here."
        )
    else:
        message = f"The bridge itself mends {member} values after renames and deletions."
    yield _fine("BRG-LDAP-032", message)
    if known.knows("olcSortVals"):
        yield _fine(
            "BRG-LDAP-033",
            f"OpenLDAP: `olcSortVals: {member}` keeps changes to large groups fast; whether it is "
            "set cannot be seen from here.",
        )
