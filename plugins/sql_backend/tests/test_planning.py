"""Plans are pure, read as SQL, and are executed as they read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.testing import Story
from bridge_sql.plugin import SqlBackend
from bridge_sql.settings import Settings


@pytest.fixture
def backend(tmp_path: Path) -> SqlBackend:
    return SqlBackend(Settings(url=f"sqlite:///{tmp_path}/people.db"))


def test_story_reads_as_sql(
    backend: SqlBackend, story: Story, golden: Callable[[str, str], None]
) -> None:
    plans = [backend.plan([change], story.links) for change in story.changes]
    golden(f"{story.name}.sql", "\n".join(map(str, plans)))
