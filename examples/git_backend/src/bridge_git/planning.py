"""From changes to one edit of one line of the file. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from bridge.plugin import Attributes, ChangeRecord, Observed, Plan, coalesce


@attrs.frozen
class Edit:
    """What becomes of a line: it goes, or gets attributes (None: as they are) and members."""

    key: str
    attributes: Attributes | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    new: bool = False
    gone: bool = False

    def __str__(self) -> str:
        if self.gone:
            return f"delete {self.key}"
        lines = [f"write {self.key}"]
        if self.attributes is not None:
            lines.append(f"  = {json.dumps(self.attributes, sort_keys=True)}")
        lines += [f"  + {member}" for member in self.added]
        return "\n".join(lines + [f"  - {member}" for member in self.removed])


def key(change: ChangeRecord) -> str:
    return f"{change.entity.organization}/{change.entity.type}/{change.entity.id}"


def plan(changes: Sequence[ChangeRecord], observed: Observed | None) -> Plan:
    last = changes[-1]
    if last.entity.type not in {"User", "Group"}:
        return Plan(last.entity, last.version)
    edit = trusting(coalesce(changes)) if observed is None else converging(last, observed.state)
    return Plan(last.entity, last.version, (edit,) if edit else ())


def trusting(change: ChangeRecord) -> Edit:
    return Edit(
        key(change),
        change.after if change.after != change.before else None,
        tuple(member.id for member in change.members.added),
        tuple(member.id for member in change.members.removed),
        new=change.before is None,
        gone=change.after is None,
    )


def converging(wanted: ChangeRecord, there: Mapping[str, Any] | None) -> Edit | None:
    if wanted.after is None:
        return Edit(key(wanted), gone=True) if there else None
    members = {member.id for member in wanted.members.added}
    held = set(there["members"]) if there else set()
    same = there is not None and there["attributes"] == wanted.after
    if same and members == held:
        return None
    come, go = tuple(sorted(members - held)), tuple(sorted(held - members))
    return Edit(key(wanted), None if same else wanted.after, come, go, new=True)
