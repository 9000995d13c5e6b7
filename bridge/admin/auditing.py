"""`/v1/audit`: who did what to what."""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import QueryParameter

from bridge.admin.calls import CallDependency
from bridge.admin.pages import PAGE_DEFAULT, After, Limit, Page, decode_cursor, page_of
from bridge.admin.shapes import time_of
from bridge.codec import decode
from bridge.core.errors import NotFound
from bridge.journal import tenants
from bridge.journal.admins import INSTALLATION
from bridge.journal.tenants import AuditRow

_NEWEST = (2**62, 2**62)


class AuditShape(msgspec.Struct, frozen=True):
    """One row: `actor` did `action` to `target`; `detail` has names and counts, never values."""

    at: str
    actor: str
    action: str
    target: str
    detail: dict[str, Any]
    request_id: str


@get("/audit", summary="Read the audit")
async def read_audit(
    call: CallDependency,
    installation: Annotated[
        bool, QueryParameter(description="What concerns the whole installation instead.")
    ] = False,
    after: After = None,
    limit: Limit = PAGE_DEFAULT,
) -> Page[AuditShape]:
    """Return an organization's audit rows, newest first."""
    if installation and call.owner is not None:
        raise NotFound("There is no such audit.")
    place = INSTALLATION if installation else call.place
    at, sequence = decode_cursor(after, int, int) or _NEWEST
    rows = await call.read(
        lambda reader: tenants.audit_page(reader, place, at, sequence, limit + 1)
    )
    return page_of(rows, limit, lambda one: [one.at, one.sequence], _show)


def _show(one: AuditRow) -> AuditShape:
    detail = decode(one.detail)
    return AuditShape(time_of(one.at), one.actor, one.action, one.target, detail, one.request_id)


HANDLERS = [read_audit]
