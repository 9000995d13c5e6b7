"""One bridge for all tests of the admin API; each test has an organization of its own."""

from collections.abc import Iterator

import pytest

from tests.administered import House, Tenant, administered


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("administered")
    more = f'[[backends]]\ntype = "sql"\nname = "people"\nurl = "sqlite:///{folder}/people.db"\n'
    with administered(folder, more=more) as running:
        yield running


@pytest.fixture
def tenant(house: House) -> Iterator[Tenant]:
    with house.tenant() as made:
        yield made
