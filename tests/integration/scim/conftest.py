"""The same tenants as the dialects' tests have, on an embedded journal and on one in PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.dialects.conftest import idp
from tests.dialects.served import Served, serving

__all__ = ["idp", "served"]


@pytest.fixture(scope="module")
def served(shared_journal_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The SCIM endpoint with the standard resource types."""
    with serving(tmp_path_factory.mktemp("scim"), journal_url=shared_journal_url) as running:
        yield running
