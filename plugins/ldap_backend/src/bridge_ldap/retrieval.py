"""Ranges: Active Directory shows only so many values of an attribute at once.

    member;range=0-1499     the first part (MS-ADTS, "Range Retrieval of Attribute Values")
    member;range=1500-*     the rest

Rule: whoever reads an entry gets all of it, and knows nothing of ranges.
"""

import re
from collections.abc import Callable

import attrs

from bridge_ldap.answers import Reply
from bridge_ldap.mapping import Entry

_RANGE = re.compile(r"(?P<name>[^;]+);range=(?P<first>\d+)-(?P<last>\d+|\*)")

More = Callable[[str, str], Entry | None]
"""Reads one attribute, named with its range, of the entry with a DN."""


def completed(reply: Reply, more: More) -> Reply:
    """Return a reply whose entries have all values of every attribute."""
    if not any(";range=" in name for entry in reply.entries for name in entry.attributes):
        return reply
    return attrs.evolve(reply, entries=tuple(_whole(entry, more) for entry in reply.entries))


def _whole(entry: Entry, more: More) -> Entry:
    attributes = dict(entry.attributes)
    for named, values in entry.attributes.items():
        if found := _RANGE.fullmatch(named):
            del attributes[named]
            attributes[found["name"]] = values
            if found["last"] != "*":
                rest = more(entry.dn, f"{found['name']};range={int(found['last']) + 1}-*")
                attributes[found["name"]] += rest.values(found["name"]) if rest else ()
    return attrs.evolve(entry, attributes=attributes)
