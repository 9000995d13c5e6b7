"""From a SCIM document to the columns of a row.

Rule: a column's value is a function of the document alone, so plans are too.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from bridge.plugin import Attributes

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

_PATH = re.compile(
    r"(?:(?P<urn>urn:[^\[]+):)?(?P<attribute>[A-Za-z$][\w$-]*)"
    r'(?:\[type eq "(?P<type>[^"]*)"\])?(?:\.(?P<sub>[A-Za-z$][\w$-]*))?'
)


@attrs.frozen
class Path:
    """A SCIM path that yields one value; of several the primary one, else the first.

    `userName`, `name.givenName`, `emails[type eq "work"].value`, `urn:…:User:department`.
    """

    text: str
    urn: str | None
    attribute: str
    type: str | None
    sub: str | None

    @classmethod
    def parse(cls, text: str) -> "Path":
        """Return the path that `text` spells. Raises ValueError on anything else."""
        match = _PATH.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a path to one value")
        return cls(text=text, **match.groupdict())

    def value(self, document: Attributes) -> Any:
        """Return what the path yields in `document`, or None."""
        holder = document.get(self.urn, {}) if self.urn else document
        found = holder.get(self.attribute)
        if isinstance(found, (list, tuple)):
            found = self._chosen(found)
        if isinstance(found, Mapping):
            found = found.get(self.sub or "value")
        # Nothing says that a user without `active` is not (RFC 7643 4.1.1 leaves it to us).
        return True if found is None and self.text == "active" else found

    def _chosen(self, values: Any) -> Any:
        fitting = [
            each
            for each in values
            if self.type is None or (isinstance(each, Mapping) and each.get("type") == self.type)
        ]
        primary = (each for each in fitting if isinstance(each, Mapping) and each.get("primary"))
        return next(primary, fitting[0] if fitting else None)


@attrs.frozen
class TableMap:
    """One resource type's table: which column holds the value of which path.

    `organization` and `id` are the key; `version` and `document` (the whole resource as JSON)
    are columns too.
    """

    table: str
    paths: Mapping[str, Path]

    def row(self, document: Attributes, version: int) -> dict[str, Any]:
        """Return every column but the key for a resource in this state."""
        return {
            "version": version,
            **{column: path.value(document) for column, path in self.paths.items()},
            "document": json.dumps(
                document,
                ensure_ascii=False,
                sort_keys=True,
                separators=(",", ":"),
            ),
        }


def _paths(**columns: str) -> dict[str, Path]:
    return {column: Path.parse(text) for column, text in columns.items()}


MANAGED: Mapping[str, TableMap] = {
    "User": TableMap(
        "users",
        _paths(
            user_name="userName",
            external_id="externalId",
            display_name="displayName",
            given_name="name.givenName",
            family_name="name.familyName",
            email="emails.value",
            phone_number="phoneNumbers.value",
            title="title",
            department=f"{ENTERPRISE}:department",
            employee_number=f"{ENTERPRISE}:employeeNumber",
            manager=f"{ENTERPRISE}:manager.value",
            active="active",
        ),
    ),
    "Group": TableMap("groups", _paths(display_name="displayName", external_id="externalId")),
}
"""The tables that the backend makes itself, by resource type."""
