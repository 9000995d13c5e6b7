"""Pages that people see: signing in, and approving what an identity provider asks for.

Rule: every page works without JavaScript, and comes from a template that escapes what it shows.
"""

from bridge.console.router import ROUTES, console_routes

__all__ = ["ROUTES", "console_routes"]
