"""The admin API: versioned JSON under /v1, for programs and for the pages that people see.

Read in this order: `router` (what there is), `calls` (what every request goes through), then the
handlers. What they do is in `bridge.journal` and `bridge.auth`; here it is asked for and shown.

Rule: an organization is known from the token before anything else; nothing of another one is
readable, changeable or distinguishable from what does not exist.
"""

from bridge.admin.problems import EXCEPTION_HANDLERS
from bridge.admin.router import ROUTES, admin_router, openapi

__all__ = ["EXCEPTION_HANDLERS", "ROUTES", "admin_router", "openapi"]
