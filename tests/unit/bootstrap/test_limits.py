"""The limits of the SCIM front end can be configured: `[scim]` has every one, with its default."""

import attrs

from bridge.config import Scim
from bridge.scim import ScimSettings


def test_the_section_scim_has_every_limit_of_the_front_end() -> None:
    limits = attrs.asdict(ScimSettings())
    del limits["public_url"]  # follows from [server]
    assert attrs.asdict(Scim()) == limits
