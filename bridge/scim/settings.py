"""Limits and choices of the SCIM front end, each with a name, a unit and a default.

Rule: what bounds a request is stated here; a refusal names the setting that it ran into.
"""

import attrs
from attrs import validators

_positive = validators.ge(1)


@attrs.frozen
class ScimSettings:
    """How the SCIM endpoint presents and protects itself."""

    public_url: str = "http://127.0.0.1:8080"
    """Origin under which identity providers reach the bridge; every `location` starts with it."""

    body_bytes: int = attrs.field(default=8 * 1024 * 1024, validator=_positive)
    """Largest request body; a full push of 100,000 members is about this size."""

    body_depth: int = attrs.field(default=32, validator=_positive)
    """Deepest nesting of objects and arrays in a body."""

    basic_profiles: tuple[str, ...] = ()
    """Profiles whose connections may send their token as the password of Basic authentication."""

    bulk_operations: int = attrs.field(default=1000, validator=_positive)
    """Most operations in one bulk request."""

    page_default: int = attrs.field(default=100, validator=_positive)
    """Resources on a page when the client names no count."""

    page_limit: int = attrs.field(default=1000, validator=_positive)
    """Most resources on a page, whatever the client asks for."""

    cursor_seconds: int = attrs.field(default=24 * 60 * 60, validator=_positive)
    """How long a cursor leads on to its page (RFC 9865 cursorTimeout); it holds nothing here."""

    connection_rate: float = attrs.field(default=0.0, validator=validators.ge(0))
    """Requests per second that one connection may send on average; 0 sets no limit. Entra ID sends
    up to 25."""

    organization_rate: float = attrs.field(default=0.0, validator=validators.ge(0))
    """Requests per second that all connections of one organization may send together."""

    patch_answer_members: int = attrs.field(default=100, validator=validators.ge(0))
    """A PATCH of a group with more members is answered with 204 instead of all of them, unless
    the client names the attributes it wants: one changed member must not cost a million."""
