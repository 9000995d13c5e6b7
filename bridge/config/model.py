"""What can be configured, each key with its default and its meaning.

Rule: a key exists only here (or in a plugin's settings class); reference page, JSON Schema and
`bridge config show` are made from these classes.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from bridge.core.schema import PROFILES
from bridge.core.secret import Secret

MEANING = "meaning"
"""Metadata key of a field: one sentence for the reference page and the JSON Schema."""

KEY_CHARACTERS = 32
"""Shortest install key, in characters."""

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_WEB_ADDRESS = re.compile(r"https?://[^/?#\s]+(/[^?#\s]*)?")


def meaning(sentence: str) -> dict[str, str]:
    """Return the metadata of a field that means `sentence`."""
    return {MEANING: sentence}


def _between(low: float, high: float) -> Any:
    def check(_instance: object, field: Any, value: float) -> None:
        if not low <= value <= high:
            raise ValueError(f"{field.name} must be between {low} and {high}, not {value}")

    return check


def _web_address(_instance: object, field: Any, value: str | None) -> None:
    if value is not None and not _WEB_ADDRESS.fullmatch(value):
        raise ValueError(f"{field.name} must be an http(s):// address without query and fragment")


@attrs.frozen
class Server:
    """`[server]`: where the bridge listens, and how long it waits."""

    key: Secret = attrs.field(
        metadata=meaning(
            "Install key, 32 random characters or more: API tokens are stored as a digest under "
            "it, and passwords wait sealed under a key made from it."
        )
    )
    host: str = attrs.field(default="127.0.0.1", metadata=meaning("Address to listen on."))
    port: int = attrs.field(
        default=8080,
        validator=_between(0, 65_535),
        metadata=meaning("TCP port to listen on; 0 takes a free one."),
    )
    public_url: str | None = attrs.field(
        default=None,
        validator=_web_address,
        metadata=meaning(
            "The address clients use, if a proxy stands before the bridge. Default: host and port."
        ),
    )
    connections: int = attrs.field(
        default=1000,
        validator=_between(1, 100_000),
        metadata=meaning("Connections and requests in flight at once; more get 503."),
    )
    trusted_proxies: tuple[str, ...] = attrs.field(
        default=(),
        metadata=meaning(
            "Addresses or networks of proxies in front, whose X-Forwarded-For and "
            "X-Forwarded-Proto are believed."
        ),
    )
    authentication_failures: int = attrs.field(
        default=60,
        validator=_between(0, 100_000),
        metadata=meaning(
            "Requests per minute without a valid token that one client address may send; more get "
            "429. 0 sets no limit."
        ),
    )
    receive_seconds: float = attrs.field(
        default=30.0,
        validator=_between(1, 3600),
        metadata=meaning("How long a request may take to arrive, to its last byte, in seconds."),
    )
    keep_alive_seconds: int = attrs.field(
        default=65,
        validator=_between(1, 3600),
        metadata=meaning("How long an idle connection is kept open, in seconds."),
    )
    stop_seconds: int = attrs.field(
        default=8,
        validator=_between(1, 300),
        metadata=meaning(
            "How long requests and deliveries may take to finish when stopping, in seconds."
        ),
    )

    @key.validator
    def _long_enough(self, _field: Any, value: Secret) -> None:
        if len(value.reveal()) < KEY_CHARACTERS:
            raise ValueError(f"key must have {KEY_CHARACTERS} characters or more")

    @property
    def url(self) -> str:
        """The address clients use, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = "localhost" if self.host in _EVERY_ADDRESS else self.host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}"


@attrs.frozen
class Scim:
    """`[scim]`: what a request may be, and how much an answer holds."""

    body_bytes: int = attrs.field(
        default=8 * 1024 * 1024,
        validator=_between(1024, 1024**3),
        metadata=meaning("Largest request body, in bytes; larger ones get 413."),
    )
    body_depth: int = attrs.field(
        default=32,
        validator=_between(8, 256),
        metadata=meaning("Deepest nesting of objects and lists in a body."),
    )
    basic_profiles: tuple[str, ...] = attrs.field(
        default=(),
        metadata=meaning(
            "Profiles whose connections may send their token as the password of Basic "
            "authentication, with any user name."
        ),
    )
    bulk_operations: int = attrs.field(
        default=1000,
        validator=_between(1, 100_000),
        metadata=meaning("Most operations in one bulk request; more get 413."),
    )
    page_default: int = attrs.field(
        default=100,
        validator=_between(1, 10_000),
        metadata=meaning("Resources on a page when the client asks for no number."),
    )
    page_limit: int = attrs.field(
        default=1000,
        validator=_between(1, 10_000),
        metadata=meaning("Most resources on a page, whatever the client asks for."),
    )
    cursor_seconds: int = attrs.field(
        default=24 * 60 * 60,
        validator=_between(1, 30 * 24 * 60 * 60),
        metadata=meaning("How long the cursor of a page stays good, in seconds (RFC 9865)."),
    )
    connection_rate: float = attrs.field(
        default=0.0,
        validator=_between(0, 100_000),
        metadata=meaning(
            "Requests per second that one connection may send on average, in bursts of ten "
            "seconds; more get 429. 0 sets no limit; Entra ID sends up to 25."
        ),
    )
    organization_rate: float = attrs.field(
        default=0.0,
        validator=_between(0, 100_000),
        metadata=meaning("The same for all connections of one organization together."),
    )
    patch_answer_members: int = attrs.field(
        default=100,
        validator=_between(0, 1_000_000),
        metadata=meaning(
            "A PATCH of a group with more members is answered with 204 instead of all of them."
        ),
    )

    @basic_profiles.validator
    def _exist(self, _field: Any, value: tuple[str, ...]) -> None:
        if unknown := sorted(set(value) - set(PROFILES)):
            raise ValueError(f"basic_profiles: there is no profile {', '.join(unknown)}")


@attrs.frozen
class Journal:
    """`[journal]`: where what should be true, and what changed, is kept."""

    url: str = attrs.field(
        default="sqlite:///bridge.db",
        metadata=meaning(
            "Where it is: `sqlite:///FILE` (a relative path is relative to the configuration file) "
            "or `postgresql+psycopg://USER@HOST/DATABASE`."
        ),
    )
    connections: int = attrs.field(
        default=8,
        validator=_between(1, 100),
        metadata=meaning(
            "Connections to PostgreSQL that a process opens at most: so many for writing and as "
            "many for reading."
        ),
    )
    wake: Literal["notify", "poll"] = attrs.field(
        default="notify",
        metadata=meaning(
            "How workers learn of changes in PostgreSQL. `poll` looks twice a second and needs "
            "nothing that outlives a transaction: for a pooler in transaction mode."
        ),
    )


@attrs.frozen
class Guard:
    """`[guard]`: when changes that take much away wait for a person instead of being delivered."""

    enabled: bool = attrs.field(
        default=True,
        metadata=meaning("Hold deletions, deactivations and ended memberships that are too many."),
    )
    changes: int = attrs.field(
        default=10,
        validator=_between(0, 1_000_000),
        metadata=meaning(
            "Of them, how many an organization may have within the window, however few its people."
        ),
    )
    share_percent: float = attrs.field(
        default=5.0,
        validator=_between(0, 100),
        metadata=meaning("How many in percent of the organization's people, if that is more."),
    )
    window_seconds: float = attrs.field(
        default=600.0,
        validator=_between(60, 86_400),
        metadata=meaning("The window, in seconds; it is counted in whole minutes."),
    )


@attrs.frozen
class Log:
    """`[log]`: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = attrs.field(
        default="info", metadata=meaning("Least severe level that is written.")
    )
    format: Literal["auto", "json", "text"] = attrs.field(
        default="auto",
        metadata=meaning("`auto` writes text to a terminal and JSON lines to anything else."),
    )


@attrs.frozen
class Plugins:
    """`[plugins]`: where backends come from besides installed distributions."""

    directory: Path | None = attrs.field(
        default=None,
        metadata=meaning(
            "Directory of single-file plugins, `<type>.py` each; only root and the bridge's "
            "account may be able to write to it. Default: none."
        ),
    )


@attrs.frozen
class BackendTable:
    """`[[backends]]`: one target. Every other key is the plugin's (`settings`)."""

    type: str = attrs.field(
        metadata=meaning("Kind of backend; names the plugin's entry point (ldap, sql, webhook).")
    )
    name: str = attrs.field(
        metadata=meaning("Your name for it, unique: small letters, digits and hyphens.")
    )
    slots: int = attrs.field(
        default=8,
        validator=_between(1, 128),
        metadata=meaning("Changes delivered at the same time; one connection each."),
    )
    lease_seconds: float = attrs.field(
        default=30.0,
        validator=_between(3, 3600),
        metadata=meaning(
            "How long a claimed change is ours; one delivery may take a third of it, in seconds."
        ),
    )
    settings: Mapping[str, Any] = attrs.field(factory=dict)

    @name.validator
    def _well_formed(self, _field: Any, value: str) -> None:
        if not _NAME.fullmatch(value):
            raise ValueError(f"name {value!r} is not made of small letters, digits and hyphens")


@attrs.frozen
class Configuration:
    """The whole file."""

    server: Server
    scim: Scim = attrs.field(factory=Scim)
    journal: Journal = attrs.field(factory=Journal)
    guard: Guard = attrs.field(factory=Guard)
    log: Log = attrs.field(factory=Log)
    plugins: Plugins = attrs.field(factory=Plugins)
    backends: tuple[BackendTable, ...] = attrs.field(default=())
    schemas: tuple[Mapping[str, Any], ...] = attrs.field(
        default=(), metadata=meaning("Further SCIM schemas, in the form of RFC 7643 section 7.")
    )
    schema_files: tuple[Path, ...] = attrs.field(
        default=(),
        metadata=meaning("JSON files that hold a schema, or a list of them, in that form."),
    )
    resource_types: tuple[Mapping[str, Any], ...] = attrs.field(
        default=(),
        metadata=meaning(
            "Further resource types, in the form of RFC 7643 section 6; one that is named User or "
            "Group adds its schemaExtensions to that type."
        ),
    )

    @backends.validator
    def _named_once(self, _field: Any, value: tuple[BackendTable, ...]) -> None:
        names = [backend.name for backend in value]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two backends have the name {', '.join(doubled)}")
