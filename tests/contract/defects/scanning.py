"""Defects that the laws of scanning find."""

import attrs

from bridge.plugin import Found, ScanPage
from tests.contract.defect import found_by
from tests.contract.memory import Memory, Row


@found_by("test_scan_lists_everything_with_people_first")
class ListsGroupsFirst(Memory):
    """Lists what it has in the wrong order."""

    def scan(self, cursor: str | None) -> ScanPage:
        page = super().scan(cursor)
        return attrs.evolve(page, entries=page.entries[::-1])


@found_by("test_scan_goes_on_in_another_instance")
class LosesItsPlace(Memory):
    """Goes on where it was only in one instance, and elsewhere says that nothing is left."""

    place: str | None = None

    def scan(self, cursor: str | None) -> ScanPage:
        if cursor != self.place:
            return ScanPage(())
        page = super().scan(cursor)
        self.place = page.next_cursor
        return page


@found_by("test_scan_says_what_is_there")
class SaysLittle(Memory):
    """Lists groups without their members."""

    def found(self, row: Row) -> Found:
        return attrs.evolve(super().found(row), members=())


@found_by("test_scan_writes_nothing")
class MendsWhileListing(Memory):
    """Puts right what it lists."""

    def scan(self, cursor: str | None) -> ScanPage:
        for row in self.shelf.rows.values():
            row.document = {**row.document, "userName": "mended", "displayName": "mended"}
        return super().scan(cursor)


@found_by("test_scan_shows_drift_and_its_end")
class ListsAnOldState(Memory):
    """Lists nothing of what the target has to say for a plan."""

    def found(self, row: Row) -> Found:
        return attrs.evolve(super().found(row), state=None)


@found_by("test_scan_lists_what_others_made")
class ListsItsOwnOnly(Memory):
    """Leaves out what it did not make."""

    def scan(self, cursor: str | None) -> ScanPage:
        page = super().scan(cursor)
        return attrs.evolve(page, entries=tuple(e for e in page.entries if e.key != "planted"))
