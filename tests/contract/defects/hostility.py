"""Defects that the laws of hostile text find."""

import unicodedata
from collections.abc import Mapping
from typing import Any

import attrs

from bridge.plugin import Entity
from tests.contract.defect import found_by
from tests.contract.memory import Memory, Put


@found_by("test_hostile_text_arrives_as_it_is_or_is_refused")
class CutsTextShort(Memory):
    """Keeps 100 characters without the spaces around."""

    def add(self, entity: Entity, document: Mapping[str, Any]) -> None:
        kept = {k: v.strip()[:100] if isinstance(v, str) else v for k, v in document.items()}
        super().add(entity, kept)


@found_by("test_hostile_text_can_be_taken_back_and_deleted")
class CutsWhatIsChanged(Memory):
    """Keeps 100 characters, without the spaces around, of what is changed."""

    def do(self, step: Any) -> None:
        super().do(step)
        row = self.shelf.find(step.entity)
        if isinstance(step, Put) and step.must_exist and row:
            row.document = {
                k: v.strip()[:100] if isinstance(v, str) else v for k, v in row.document.items()
            }


@attrs.frozen
class PlainPut(Put):
    def __str__(self) -> str:
        return f"PUT {self.document.get('displayName')}"


@found_by("test_shown_text_moves_no_terminal")
class ShowsTextAsItIs(Memory):
    """Prints what it is given, escape sequences included."""

    put = PlainPut


@found_by("test_names_that_look_alike_stay_apart")
class FoldsNames(Memory):
    """Takes names that look alike for one."""

    def add(self, entity: Entity, document: Mapping[str, Any]) -> None:
        for row in self.shelf.rows.values():
            if looks(row.document.get("userName")) == looks(document.get("userName")):
                row.document = document
                return
        super().add(entity, document)


def looks(name: Any) -> str:
    return unicodedata.normalize("NFKD", str(name)).encode("ascii", "ignore").decode()
