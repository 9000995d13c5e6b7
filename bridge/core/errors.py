"""Every error the bridge raises on purpose, sorted by what the one who meets it must do.

    BridgeError
    ├── ScimError                    the identity provider gets this as a SCIM Error (RFC 7644 3.12)
    │   ├── InvalidFilter · InvalidSyntax · InvalidPath · NoTarget · InvalidValue · InvalidVers
    │   │   Mutability · TooMany · Sensitive · InvalidCursor · ExpiredCursor · InvalidCount   400
    │   ├── Unauthorized 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405
    │   ├── Uniqueness · Conflict 409 · PreconditionFailed 412 · PayloadTooLarge 413
    │   ├── UnsupportedMediaType 415 · TooManyRequests 429
    │   └── NotSupported 501 · Unavailable 503
    ├── NotApplied                   a backend says why a plan is not (surely) applied
    │   ├── Defer                    a dependency is not there yet; a short wait, no attempt
    │   ├── RetryLater               passing trouble with this change; counts as an attempt
    │   ├── Park                     will never succeed as it is; waits for a person
    │   ├── Surprise                 the target is not as assumed: observe it and plan again
    │   ├── InDoubt                  timed out in flight: observe before the next write
    │   ├── BackendDown              the target cannot be reached or refuses us: open the circuit
    │   └── Disable                  the target wants nothing more: stop until a person resumes it
    └── OperatorError                a person at the command line or console must act

Rule: a class is added only when somebody must act differently on it.
"""

from typing import TYPE_CHECKING, ClassVar

import attrs

if TYPE_CHECKING:
    from bridge.core.backend import Link


class BridgeError(Exception):
    """Root of every error raised on purpose."""


# --- SCIM ---------------------------------------------------------------------------------------


class ScimError(BridgeError):
    """An error answer to a SCIM client (RFC 7644 section 3.12).

    `detail` is read by an identity-provider admin: say what is wrong and what to change.
    """

    status: ClassVar[int] = 400
    scim_type: ClassVar[str | None] = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidFilter(ScimError):
    """The filter is malformed, too large, or names something that cannot be filtered."""

    scim_type = "invalidFilter"


class TooMany(ScimError):
    """The query would return more than the service provider is willing to compute."""

    scim_type = "tooMany"


class Mutability(ScimError):
    """The attribute is readOnly, or immutable and already set."""

    scim_type = "mutability"


class InvalidSyntax(ScimError):
    """The request body is not the JSON structure that the operation needs."""

    scim_type = "invalidSyntax"


class InvalidPath(ScimError):
    """A PATCH path is malformed or names an unknown attribute."""

    scim_type = "invalidPath"


class NoTarget(ScimError):
    """A PATCH path yields nothing that can be operated on."""

    scim_type = "noTarget"


class InvalidValue(ScimError):
    """A required value is missing, or a value does not fit its attribute."""

    scim_type = "invalidValue"


class InvalidVers(ScimError):
    """The SCIM protocol version is not supported."""

    scim_type = "invalidVers"


class Sensitive(ScimError):
    """The request would put personal data into a URI (RFC 7644 section 7.5.2)."""

    scim_type = "sensitive"


class InvalidCursor(ScimError):
    """The pagination cursor is not one of ours (RFC 9865)."""

    scim_type = "invalidCursor"


class ExpiredCursor(ScimError):
    """The pagination cursor is too old (RFC 9865)."""

    scim_type = "expiredCursor"


class InvalidCount(ScimError):
    """The page size is out of range for cursor pagination (RFC 9865)."""

    scim_type = "invalidCount"


class Unauthorized(ScimError):
    """The request carries no valid credentials; `challenges` say how to send them (RFC 9110)."""

    status = 401

    def __init__(self, detail: str, challenges: tuple[str, ...] = ("Bearer",)) -> None:
        super().__init__(detail)
        self.challenges = challenges


class Forbidden(ScimError):
    """The credentials are valid and do not allow this."""

    status = 403


class NotFound(ScimError):
    """No such resource or endpoint, as far as this client can see."""

    status = 404


class MethodNotAllowed(ScimError):
    """The path is known, the method is not; `allow` lists the methods that are."""

    status = 405

    def __init__(self, detail: str, allow: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.allow = allow


class Uniqueness(ScimError):
    """Another resource already has this value of a unique attribute."""

    status = 409
    scim_type = "uniqueness"


class Conflict(ScimError):
    """An operation of a bulk request refers to another of them that was not done."""

    status = 409


class PreconditionFailed(ScimError):
    """If-Match names another version than the current one."""

    status = 412


class PayloadTooLarge(ScimError):
    """The body is larger than a named limit."""

    status = 413


class UnsupportedMediaType(ScimError):
    """The body's media type or encoding is not one we read."""

    status = 415


class TooManyRequests(ScimError):
    """The client is over its rate; `retry_after_seconds` is a whole number (Okta needs one)."""

    status = 429

    def __init__(self, detail: str, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class NotSupported(ScimError):
    """A feature of the protocol that this service provider does not offer."""

    status = 501


class Unavailable(ScimError):
    """Nothing was written and the same request may succeed in `retry_after_seconds`."""

    status = 503

    def __init__(self, detail: str, retry_after_seconds: int = 5) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


# --- Delivery -----------------------------------------------------------------------------------


@attrs.frozen
class NotApplied(BridgeError):
    """Raised by a backend's `plan` or `execute`: the change is not (surely) in the target.

    `links` are what was made before that and need not be done again (`bridge.core.backend.Link`):
    an entry that was added is linked though its password was refused. `answer` is what the target
    said, for the log of attempts.
    """

    reason: str
    links: tuple["Link", ...] = attrs.field(default=(), kw_only=True)
    answer: str = attrs.field(default="", kw_only=True)

    def __str__(self) -> str:
        return self.reason


@attrs.frozen
class Defer(NotApplied):
    """A dependency is not there yet (a member without a link); waits briefly, is no attempt."""


@attrs.frozen
class RetryLater(NotApplied):
    """Passing trouble; counts as an attempt. `delay_seconds` overrides the schedule's delay."""

    delay_seconds: float | None = None


@attrs.frozen
class Park(NotApplied):
    """Will not succeed as it is. `next_step` tells a person what to do."""

    next_step: str = ""


@attrs.frozen
class Surprise(NotApplied):
    """The target is not as the plan assumed; nothing is in flight. Observe, then plan again."""


@attrs.frozen
class InDoubt(NotApplied):
    """Timed out or cut in flight: the step may yet happen. Observe before the next write."""


@attrs.frozen
class BackendDown(NotApplied):
    """The target is unreachable or refuses our credentials; this change is not at fault.

    `delay_seconds` is the least to wait before the target is tried again: give it where trying
    does harm (refused credentials lock accounts).
    """

    delay_seconds: float | None = None


@attrs.frozen
class Disable(NotApplied):
    """The target has asked to be given nothing more; only a person may start it again."""


# --- People -------------------------------------------------------------------------------------


@attrs.frozen
class OperatorError(BridgeError):
    """One line for a person: a stable `code` (BRG-…), what is wrong, and the next step."""

    code: str
    problem: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.code}: {self.problem} Next: {self.next_step}"
