"""One attempt at one entity, in a slot's thread: read, look, plan, execute.

Rule: whatever a backend raises ends here as an outcome; nothing of a plugin gets past this module.
"""

import traceback
from collections.abc import Callable, Mapping
from functools import partial

import attrs

from bridge.core.backend import Backend, Link, Observed, Observer, Receipt
from bridge.core.changes import ChangeRecord
from bridge.core.delivery import Applied, Look, Outcome
from bridge.core.errors import (
    BackendDown,
    Defer,
    Disable,
    InDoubt,
    NotApplied,
    Park,
    RetryLater,
    Surprise,
    Unavailable,
)
from bridge.journal import links, passwords, standing
from bridge.journal.claims import Claim
from bridge.journal.snapshots import snapshot
from bridge.journal.store import Journal, Reader
from bridge.sealing import CannotOpen, Sealed, Sealer

REASON_CHARACTERS = 500
"""What is kept of a backend's reason."""

PASSWORD_TRIES = 2
"""How often a password is sent without an answer before a person is asked: accounts get locked."""


Disclose = Callable[[ChangeRecord], ChangeRecord]
"""What leaves out of a change what may not be passed on."""


@attrs.frozen
class Undone:
    """Nothing was tried: the claim goes back as it came."""


@attrs.frozen
class Moving:
    """The target was read and may still be changing: it is read again to compare."""

    observed: Observed


@attrs.frozen
class Work:
    """What a plan is made from: the changes, and the links of all they mention."""

    changes: tuple[ChangeRecord, ...]
    links: Mapping[str, Link]

    @property
    def missing(self) -> frozenset[str]:
        """Ids of resources that the changes refer to and that have no link."""
        return frozenset().union(*(c.references for c in self.changes)) - self.links.keys()


@attrs.frozen
class Attempt:
    """How it went.

    `looked`: the target was read first. `answered`: it replied. `wrote`: it may be written to.
    `broke`: the plugin raised what is no outcome. `missing` are the references without a link,
    where the outcome waits for one. `answer` is what the target said; `seconds` is how long it
    took; `adopted`, that a rule gave it what others had made.
    """

    outcome: Outcome | Moving | Undone
    links: tuple[Link, ...] = ()
    ended: bool = False
    looked: bool = False
    answered: bool = False
    wrote: bool = False
    broke: bool = False
    missing: frozenset[str] = frozenset()
    answer: str = ""
    seconds: float = 0.0
    adopted: bool = False

    @property
    def unsure(self) -> bool:
        """Whether the plugin broke while writing: nobody knows what the target holds."""
        return self.broke and self.wrote


def attempt(
    backend: Backend,
    observer: Observer | None,
    journal: Journal,
    claim: Claim,
    *,
    single: bool,
    seen: Observed | None,
    sealer: Sealer | None,
    disclose: Disclose | None,
) -> Attempt:
    """Try once to bring one entity up to date; never raises.

    `observer` is the backend again if it can read its target. `single` gives it one version at a
    time. `seen` is what was read of the target before, if the claim wants it looked at twice.
    `sealer` is given to a backend that takes passwords, `disclose` to one that discloses.
    """
    if observer is None and claim.applied >= claim.target:
        return Attempt(Applied(claim.applied))  # asked to look again, and this one cannot
    whole = observer is not None and bool(claim.look)
    try:
        work = gather(journal, claim, disclose, whole=whole, single=single)
    except Unavailable:
        return Attempt(Undone())
    progress = Progress()
    try:
        try:
            work = _opened(work, claim, sealer)
            looking = observer if whole else None
            return _tried(backend, looking, journal, claim, work, seen, progress)
        except NotApplied as error:
            return not_applied(error, work, progress)
    except BaseException as error:  # noqa: BLE001 - SystemExit of a plugin is not ours either
        return Attempt(RetryLater(unexpected(error)), wrote=progress.wrote, broke=True)


def gather(
    journal: Journal, claim: Claim, disclose: Disclose | None, *, whole: bool, single: bool
) -> Work:
    """Return what a plan is made from; `whole` asks for a snapshot instead of changes.

    A change that refers to nobody needs no more than what the claim brought along.
    """
    work = _complete(journal, claim, whole=whole, single=single)
    if disclose is None:
        return work
    return attrs.evolve(work, changes=tuple(map(disclose, work.changes)))


def _complete(journal: Journal, claim: Claim, *, whole: bool, single: bool) -> Work:
    changes = () if whole else claim.changes(1 if single else None)
    others = frozenset[str]().union(*(change.references for change in changes))
    own = {claim.entity.id: claim.link} if claim.link else {}
    if changes and not others:
        return Work(changes, own)
    return journal.read_now(partial(_gathered, claim=claim, changes=changes))


def _gathered(reader: Reader, claim: Claim, changes: tuple[ChangeRecord, ...]) -> Work:
    entity = claim.entity
    if not changes:
        present = snapshot(reader, entity)
        changes = (present,) if present else ()
        if waiting := passwords.waiting(reader, claim.backend, entity):
            changes = waiting.on(changes)
    ids = {entity.id}.union(*(change.references for change in changes))
    return Work(changes, links.get_many(reader, entity.organization, claim.backend, ids))


def _opened(work: Work, claim: Claim, sealer: Sealer | None) -> Work:
    """Return the work with its passwords in clear; raises Park where that cannot or may not be."""
    if not any(change.password for change in work.changes):
        return work
    if claim.look is Look.TWICE and claim.attempts >= PASSWORD_TRIES:
        raise Park(
            f"The password was sent {PASSWORD_TRIES} times and never answered.",
            "See whether the account still works, then retry.",
        )
    return attrs.evolve(work, changes=tuple(_unsealed(c, sealer) for c in work.changes))


def _unsealed(change: ChangeRecord, sealer: Sealer | None) -> ChangeRecord:
    if not isinstance(change.password, Sealed):
        return change
    if sealer is None:  # not configured to take one any more
        return attrs.evolve(change, password=None)
    try:
        return attrs.evolve(change, password=sealer.open(change.password))
    except CannotOpen:
        raise Park(
            "The password waiting for this was sealed under another server.key.",
            "Bring that key back, or skip this version and have the password set again.",
        ) from None


def unexpected(error: BaseException) -> str:
    """Return what may be told of a plugin's error: its class and where, never its text.

    The text of a foreign exception can hold a password or a person.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
    return f"The backend raised {type(error).__name__}{place}."


@attrs.define
class Progress:
    """How far an attempt has come, for when it is cut short."""

    looked: bool = False
    reached: bool = False
    wrote: bool = False


def _tried(
    backend: Backend,
    observer: Observer | None,
    journal: Journal,
    claim: Claim,
    work: Work,
    seen: Observed | None,
    progress: Progress,
) -> Attempt:
    if not work.changes:
        raise Park("The journal does not hold this resource.", "Skip it, or restore the journal.")
    observed: Observed | None = None
    if observer is not None:
        progress.looked = progress.reached = True
        (observed,) = observer.observe(work.changes, work.links)
        if claim.look is Look.TWICE and observed != seen:
            return Attempt(Moving(observed), looked=True, answered=True)
        work = _with_holder(journal, claim, work, observed)
    plan = backend.plan(work.changes, work.links, observed)
    receipt = Receipt()
    if plan.steps:
        progress.reached = progress.wrote = True
        receipt = backend.execute(plan)
    return attrs.evolve(applied(receipt, work, progress, observed), adopted=plan.adopts)


def applied(
    receipt: Receipt, work: Work, progress: Progress, observed: Observed | None = None
) -> Attempt:
    """Return the attempt that ended with a receipt; raises where its links cannot be stored."""
    newest = work.changes[-1]
    ended = newest.after is None
    return Attempt(
        Applied(newest.version, awaits=bool(receipt.awaited)),
        links=_checked(receipt.links if ended else _with_observed(receipt.links, observed)),
        ended=ended,
        looked=progress.looked,
        answered=progress.reached,
        wrote=progress.wrote,
        missing=receipt.awaited,
        answer=_text(receipt.answer),
    )


def _with_holder(journal: Journal, claim: Claim, work: Work, observed: Observed) -> Work:
    """Return the work with the link of another resource that has what was observed, if one does."""
    found = observed.link
    if found is None or claim.entity.id in work.links:
        return work
    query = partial(standing.holders, backend=claim.backend, targets=[found.target_id])
    holder = journal.read_now(query).get(found.target_id)
    if holder is None or holder.deleted or holder.link is None:
        return work
    return attrs.evolve(work, links={**work.links, holder.entity.id: holder.link})


def not_applied(error: NotApplied, work: Work, progress: Progress) -> Attempt:
    """Return the attempt that ended so; raises where its links cannot be stored."""
    outcome = outcome_of(error)
    return Attempt(
        outcome,
        links=_checked(error.links),
        looked=progress.looked,
        answered=progress.reached and not isinstance(outcome, InDoubt | BackendDown),
        wrote=progress.wrote,
        missing=work.missing if isinstance(outcome, Defer) else frozenset(),
        answer=_text(error.answer),
    )


def _with_observed(links: tuple[Link, ...], observed: Observed | None) -> tuple[Link, ...]:
    # The plan took what is there for the resource's own; its receipt may have been lost before.
    found = observed.link if observed else None
    if found is None or any(link.resource_id == found.resource_id for link in links):
        return links
    return (*links, found)


def _checked(links: tuple[Link, ...]) -> tuple[Link, ...]:
    # Links are stored together with others'; what cannot be stored must fail here, alone.
    for link in links:
        for text in (link.resource_id, link.target_id, link.name):
            if "\0" in text:
                raise ValueError("a link holds NUL")
            text.encode()
    return links


def outcome_of(error: NotApplied) -> Outcome:
    """Return what a backend raised as one of the closed set of outcomes, fit to be stored."""
    reason = _text(error.reason)
    match error:
        case Defer() | Surprise() | InDoubt():
            kind = next(kind for kind in (Defer, Surprise, InDoubt) if isinstance(error, kind))
            return kind(reason)
        case Park():
            return Park(reason, _text(error.next_step))
        case BackendDown():
            return BackendDown(reason, error.delay_seconds)
        case RetryLater():
            return RetryLater(reason, error.delay_seconds)
        case Disable():
            return Disable(reason)
    return RetryLater(reason)


def _text(value: str) -> str:
    printable = value.replace("\0", "").encode("utf-8", "replace").decode()
    return " ".join(printable.split())[:REASON_CHARACTERS]
