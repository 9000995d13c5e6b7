"""Defects that the laws of manners find."""

import logging
import os
import threading
from collections.abc import Sequence
from typing import Any

import attrs

from bridge.plugin import BackendDown, Entity, Finding, Link, Plan, Receipt, RetryLater
from tests.contract.defect import found_by
from tests.contract.memory import Drop, Memory, Put, Settings


@found_by("test_no_secret_is_ever_shown")
class ShowsItsSecret(Memory):
    """Prints the settings' secret."""

    def __repr__(self) -> str:
        return f"Memory({self.settings.secret.reveal()})"


@attrs.frozen
class TalkativePut(Put):
    def __str__(self) -> str:
        return f"PUT {self.document} {self.password.reveal() if self.password else None}"


@found_by("test_password_is_never_shown")
class ShowsPasswords(Memory):
    """Prints the password that it sets."""

    put = TalkativePut


@found_by("test_check_of_a_good_target_finds_nothing_wrong")
class FindsFaultWithEverything(Memory):
    """Reports a good target as bad."""

    def check(self) -> Sequence[Finding]:
        return [Finding(False, "BRG-SHELF-BAD", "It is bad.", "Mend it.")]


@found_by("test_check_of_a_good_target_finds_nothing_wrong")
class WritesWhileChecking(Memory):
    """Leaves a trial row behind."""

    def check(self) -> Sequence[Finding]:
        self.add(Entity("acme", "Group", "trial"), {"displayName": "trial"})
        return super().check()


@found_by("test_unreachable_target_is_reported_as_down")
class BlamesTheChange(Memory):
    """Takes an absent target for the change's trouble."""

    def execute(self, plan: Plan) -> Receipt:
        try:
            return super().execute(plan)
        except BackendDown as error:
            raise RetryLater(error.reason) from error


@found_by("test_close_never_raises_and_a_new_backend_goes_on")
class DoesNotClose(Memory):
    """Raises when closed twice."""

    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


@found_by("test_type_says_what_it_is")
class SaysNothingOfItself(Memory):
    """Has no summary."""

    summary = ""


@attrs.frozen
class DarkSettings(Settings):
    depth: int = 1


@found_by("test_every_setting_says_what_it_means")
class HasDarkSettings(Memory):
    """Has a setting of which nobody knows what it means."""

    configured = DarkSettings


@found_by("test_opening_and_planning_need_no_target")
class ConnectsAtOnce(Memory):
    """Needs its target before it is used."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.first = self.shelf


@found_by("test_receipt_is_of_what_was_asked_for")
class LinksOthers(Memory):
    """Hands over links of resources that nobody asked about."""

    def execute(self, plan: Plan) -> Receipt:
        receipt = super().execute(plan)
        return attrs.evolve(receipt, links=(*receipt.links, Link("somebody", "n0")))


@found_by("test_empty_plan_writes_nothing")
class TakesNothingForTheEnd(Memory):
    """Takes a plan without steps for a deletion."""

    def execute(self, plan: Plan) -> Receipt:
        if not plan.steps:
            self.do(Drop(plan.entity))
        return super().execute(plan)


@found_by("test_no_secret_is_shown_in_trouble")
class TellsItsSecretInTrouble(Memory):
    """Names the password that did not work."""

    def check(self) -> Sequence[Finding]:
        try:
            return super().check()
        except BackendDown as error:
            raise BackendDown(f"{error.reason}: {self.settings.secret.reveal()}") from error


@found_by("test_nothing_secret_is_logged_and_nothing_printed")
class TalksToTheTerminal(Memory):
    """Prints what it does."""

    def execute(self, plan: Plan) -> Receipt:
        print(plan.entity.id)  # noqa: T201
        return super().execute(plan)


@found_by("test_nothing_secret_is_logged_and_nothing_printed")
class LogsPasswords(Memory):
    """Logs the password that it sets."""

    def do(self, step: Any) -> None:
        super().do(step)
        if isinstance(step, Put) and step.password:
            logging.getLogger("memory").debug("password %s", step.password.reveal())


@found_by("test_what_is_closed_leaves_nothing_behind")
class LeavesAThread(Memory):
    """Starts a thread that nobody ends."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        threading.Thread(target=threading.Event().wait, args=(3,), daemon=True).start()


@found_by("test_what_is_closed_leaves_nothing_behind")
class LeavesFilesOpen(Memory):
    """Opens a file that nobody closes."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        os.open(os.devnull, os.O_RDONLY)
