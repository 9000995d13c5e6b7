"""The story of an existing directory in full size: 20,000 people and 500 groups."""

from pathlib import Path

import pytest

from tests.integration.adoption_story import Sizes, live_through
from tests.openldap import OpenLDAP

FULL = Sizes(
    people=20_000,
    groups=500,
    assigned=2000,
    new=200,
    big=10_000,
    edits=1100,
    changed=100,
    renamed=20,
    deleted=5,
)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_a_large_directory_is_adopted_kept_and_repaired(openldap: OpenLDAP, tmp_path: Path) -> None:
    live_through(openldap, tmp_path, FULL)
