"""The SCIM 2.0 front end (RFC 7643, RFC 7644): what identity providers talk to.

Read in this order: `router`, `application`, `body`, `endpoints`, `service`, `representation`.
"""

from bridge.scim.application import Application
from bridge.scim.router import MOUNT, scim_application
from bridge.scim.settings import ScimSettings

__all__ = ["MOUNT", "Application", "ScimSettings", "scim_application"]
