"""LDAP result codes (RFC 4511 4.1.9 and appendix A), and what each means for a change.

Rule: every code an operation does not expect is sorted here and nowhere else; unknown ones park.
"""

from collections.abc import Collection, Mapping
from enum import IntEnum

from bridge.plugin import BackendDown, NotApplied, Park, RetryLater, Surprise


class Code(IntEnum):
    """Result codes by the names of RFC 4511, RFC 3909, RFC 4528 and RFC 4370."""

    SUCCESS = 0
    OPERATIONS_ERROR = 1
    PROTOCOL_ERROR = 2
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    AUTH_METHOD_NOT_SUPPORTED = 7
    STRONGER_AUTH_REQUIRED = 8
    REFERRAL = 10
    ADMIN_LIMIT_EXCEEDED = 11
    UNAVAILABLE_CRITICAL_EXTENSION = 12
    CONFIDENTIALITY_REQUIRED = 13
    NO_SUCH_ATTRIBUTE = 16
    UNDEFINED_ATTRIBUTE_TYPE = 17
    INAPPROPRIATE_MATCHING = 18
    CONSTRAINT_VIOLATION = 19
    ATTRIBUTE_OR_VALUE_EXISTS = 20
    INVALID_ATTRIBUTE_SYNTAX = 21
    NO_SUCH_OBJECT = 32
    ALIAS_PROBLEM = 33
    INVALID_DN_SYNTAX = 34
    INAPPROPRIATE_AUTHENTICATION = 48
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53
    LOOP_DETECT = 54
    NAMING_VIOLATION = 64
    OBJECT_CLASS_VIOLATION = 65
    NOT_ALLOWED_ON_NON_LEAF = 66
    NOT_ALLOWED_ON_RDN = 67
    ENTRY_ALREADY_EXISTS = 68
    OBJECT_CLASS_MODS_PROHIBITED = 69
    AFFECTS_MULTIPLE_DSAS = 71
    OTHER = 80
    ASSERTION_FAILED = 122
    AUTHORIZATION_DENIED = 123


OUTCOMES: Mapping[int, type[NotApplied]] = {
    Code.OPERATIONS_ERROR: RetryLater,
    Code.TIME_LIMIT_EXCEEDED: RetryLater,
    Code.AUTH_METHOD_NOT_SUPPORTED: BackendDown,
    Code.STRONGER_AUTH_REQUIRED: BackendDown,
    Code.REFERRAL: BackendDown,  # this server is not the writer; a referral is never followed
    Code.CONFIDENTIALITY_REQUIRED: BackendDown,
    Code.NO_SUCH_ATTRIBUTE: Surprise,
    Code.ATTRIBUTE_OR_VALUE_EXISTS: Surprise,
    Code.NO_SUCH_OBJECT: Surprise,
    Code.INAPPROPRIATE_AUTHENTICATION: BackendDown,
    Code.INVALID_CREDENTIALS: BackendDown,  # another try would only help to lock the account
    Code.INSUFFICIENT_ACCESS_RIGHTS: BackendDown,
    Code.BUSY: RetryLater,
    Code.UNAVAILABLE: RetryLater,
    Code.UNWILLING_TO_PERFORM: RetryLater,  # read-only just now, or a policy that may pass
    Code.OTHER: RetryLater,
    Code.ASSERTION_FAILED: Surprise,
    Code.AUTHORIZATION_DENIED: BackendDown,
}
"""What a code means unless the operation expects it. All others: Park."""


def name(code: int) -> str:
    """Return a code as people know it: `entryAlreadyExists (68)`."""
    try:
        first, *rest = Code(code).name.lower().split("_")
    except ValueError:
        return f"result code {code}"
    return f"{first}{''.join(map(str.title, rest))} ({code})"


def outcome(operation: str, code: int, message: str, expected: Collection[int]) -> int:
    """Return `code` when it is success or expected, else raise what it means for the change."""
    if code == Code.SUCCESS or code in expected:
        return code
    said = f": {message}" if message else ""
    raise OUTCOMES.get(code, Park)(f"{operation}: {name(code)}{said}")
