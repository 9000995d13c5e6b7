"""Reading the request's headers: what answer is wanted, under which condition, under which name.

Rule: a header that cannot be understood is treated as absent; it never makes a request fail.
"""

import re
from collections.abc import Callable, Mapping

import attrs

from bridge.core.errors import PreconditionFailed

Headers = Mapping[bytes, bytes]

SCIM_JSON = b"application/scim+json"
JSON = b"application/json"

REQUEST_ID_HEADERS = (b"x-request-id", b"x-okta-request-id", b"client-request-id")
"""Names under which a client or a proxy in front of us numbers its requests, in our order."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:+/=@-]{1,128}")


def answer_media_type(accept: bytes) -> bytes:
    """Return the media type to answer with: `application/scim+json` unless only JSON is wanted.

    Parameters such as charset do not matter (RFC 7644 section 3.8); an Accept that names neither
    is answered all the same (RFC 9110 section 12.4.1 allows that).
    """
    if JSON not in accept or SCIM_JSON in accept or b"*/*" in accept:
        return SCIM_JSON
    return JSON


def request_id(headers: Headers, generate: Callable[[], str]) -> str:
    """Return the client's number of this request when it is sane, else a generated one."""
    for name in REQUEST_ID_HEADERS:
        value = headers.get(name)
        if value is not None and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return generate()


def etag(version: int) -> str:
    """Return the weak entity tag of a resource at `version`."""
    return f'W/"{version}"'


@attrs.frozen
class Conditions:
    """If-Match and If-None-Match of one request: the tags named, None for an absent header."""

    if_match: frozenset[bytes] | None = None
    if_none_match: frozenset[bytes] | None = None

    def not_modified(self, version: int) -> bool:
        """Say whether a read may be answered with 304 (weak comparison)."""
        return self.if_none_match is not None and _names(self.if_none_match, version)

    def check(self, version: int) -> None:
        """Refuse a write on another version than the client knows: raises PreconditionFailed."""
        if self.if_match is not None and not _names(self.if_match, version):
            raise PreconditionFailed(
                f"If-Match does not name the current version, {etag(version)}. "
                "Read the resource again and repeat the change."
            )
        if self.not_modified(version):
            raise PreconditionFailed("If-None-Match names a version that exists.")


UNCONDITIONAL = Conditions()


def conditions(headers: Headers) -> Conditions:
    """Return the conditions that the headers state (RFC 9110 section 13)."""
    if_match, if_none_match = headers.get(b"if-match"), headers.get(b"if-none-match")
    if if_match is None and if_none_match is None:
        return UNCONDITIONAL
    return Conditions(_tags(if_match), _tags(if_none_match))


def _tags(value: bytes | None) -> frozenset[bytes] | None:
    if value is None:
        return None
    return frozenset(tag.strip().removeprefix(b"W/").strip(b'"') for tag in value.split(b","))


def _names(tags: frozenset[bytes], version: int) -> bool:
    return b"*" in tags or str(version).encode() in tags
