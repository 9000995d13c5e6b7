"""What every handler of the pages works with.

Rule: a handler gets it as `desk`; what blocks is called through `desk.run`, in a thread.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from bridge.auth.authorizing import Authorizing
from bridge.auth.issuing import Issuing
from bridge.auth.people import SignIn
from bridge.core.secret import Secret
from bridge.journal.store import Journal

T = TypeVar("T")


@attrs.frozen
class Desk:
    """The services behind the pages; `issuer` is the public address of the bridge."""

    issuer: str
    key: Secret
    journal: Journal
    people: SignIn
    authorizing: Authorizing
    issuing: Issuing

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a blocking function returns, without holding up other requests."""
        return await asyncio.to_thread(function, *arguments)


DeskDependency = NamedDependency[SkipValidation[Desk]]
