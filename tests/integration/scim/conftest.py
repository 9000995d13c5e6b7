"""The same server and the same tenants as the dialects' tests have."""

from tests.dialects.conftest import idp, served

__all__ = ["idp", "served"]
