"""A directory full of people is adopted, kept, spoilt by hand and put right."""

from pathlib import Path

import pytest

from tests.integration.adoption_story import Sizes, live_through
from tests.openldap import OpenLDAP

SMALL = Sizes(
    people=240, groups=10, assigned=60, new=10, big=120, edits=20, changed=12, renamed=6, deleted=3
)


@pytest.mark.timeout(300)
def test_a_directory_is_adopted_kept_and_repaired(openldap: OpenLDAP, tmp_path: Path) -> None:
    live_through(openldap, tmp_path, SMALL)
