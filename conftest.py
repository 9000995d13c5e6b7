"""What every test of the host and of the plugins may ask for."""

import pytest
from hypothesis import settings

pytest_plugins = ["tests.containers", "tests.journals"]

# A busy machine is no counterexample: the time limit is pytest's, for the test as a whole.
settings.register_profile("project", deadline=None, print_blob=True)
settings.load_profile("project")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests (`@pytest.mark.anyio`) run on asyncio, as the server does."""
    return "asyncio"
