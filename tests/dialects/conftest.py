"""One server for all tests here; an organization of its own for each."""

from collections.abc import Iterator

import pytest

from tests.dialects.served import Served, Tenant, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The SCIM endpoint with the standard resource types."""
    with serving(tmp_path_factory.mktemp("scim")) as running:
        yield running


@pytest.fixture
def idp(served: Served) -> Iterator[Tenant]:
    """An identity provider with a connection to an organization of its own."""
    with served.tenant() as tenant:
        yield tenant
