"""The dry run: what would be written, by the code that would write it.

Rule: nothing is claimed and `execute` is never called; a target is read only where a delivery would
read it first.
"""

from collections.abc import Iterator
from functools import partial

import attrs

from bridge.core.backend import Backend, Observer
from bridge.core.errors import NotApplied
from bridge.core.resources import Entity
from bridge.engine.attempt import gather, outcome_of, unexpected
from bridge.hosting import HostedBackend
from bridge.journal import claims
from bridge.journal.claims import Claim
from bridge.journal.store import Journal

PLAN_LIMIT = 1000
"""Entities that a dry run shows unless more are asked for."""


@attrs.frozen
class Planned:
    """One entity's plan: `text` is what would be written, empty where nothing would be.

    `refusal` says why there is no plan (yet): the kind of outcome and its reason. `held`: the
    guard against mass changes keeps it back.
    """

    entity: Entity
    applied: int
    target: int
    text: str = ""
    refusal: str = ""
    held: bool = False


def plan_pending(
    journal: Journal, hosted: HostedBackend, *, limit: int = PLAN_LIMIT
) -> Iterator[Planned]:
    """Plan what is pending for a backend, then what is held, the longest first; write nothing.

    The host need not be running, nor stopped. Raises what opening the backend raises.
    """
    found = partial(claims.pending, backend=hosted.name, limit=limit)
    backend = hosted.open()
    try:
        for held in (False, True):
            for claim in journal.read_now(partial(found, held=held)):
                yield attrs.evolve(_plan(journal, hosted, backend, claim), held=held)
    finally:
        backend.close()


def _plan(journal: Journal, hosted: HostedBackend, backend: Backend, claim: Claim) -> Planned:
    planned = Planned(claim.entity, claim.applied, claim.target)
    whole = bool(claim.look) and isinstance(backend, Observer)
    work = gather(journal, claim, hosted.disclose, whole=whole, single=False)
    each = [(c,) for c in work.changes]
    try:
        observed = None
        if whole and isinstance(backend, Observer):
            (observed,) = backend.observe(work.changes, work.links)
        plans = [
            backend.plan(changes, work.links, observed)
            for changes in ([work.changes] if hosted.type.coalesces else each)
        ]
    except NotApplied as error:
        outcome = outcome_of(error)
        return attrs.evolve(planned, refusal=f"{type(outcome).__name__}: {outcome}")
    except Exception as error:  # noqa: BLE001 - the next entity may be planned all the same
        return attrs.evolve(planned, refusal=unexpected(error))
    return attrs.evolve(planned, text="\n".join(str(plan) for plan in plans if plan.steps))
