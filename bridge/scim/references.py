"""References between the operations of a bulk request: `bulkId:NAME` (RFC 7644 section 3.7.2).

A reference is a whole value ("bulkId:ann"), the last part of an address ("/Groups/bulkId:sales"),
or a quoted value in a PATCH path (`members[value eq "bulkId:ann"]`).

Rule: pure; what a name stands for is the caller's business.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_REFERENCE = re.compile(r'(?<![^"/])bulkId:([^"/]+)(?![^"])')


def names_in(value: Any) -> Iterator[str]:
    """Yield the names that a JSON value refers to."""
    match value:
        case str():
            yield from _REFERENCE.findall(value)
        case dict():
            for item in value.values():
                yield from names_in(item)
        case list():
            for item in value:
                yield from names_in(item)


def resolved(value: Any, id_of: Callable[[str], str]) -> Any:
    """Return a JSON value with the id in place of every reference."""
    match value:
        case str():
            return _REFERENCE.sub(lambda found: id_of(found[1]), value) if ":" in value else value
        case dict():
            return {name: resolved(item, id_of) for name, item in value.items()}
        case list():
            return [resolved(item, id_of) for item in value]
    return value


def in_rings(needs: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the numbers 0, 1, … so that what one needs comes before it, else in their order.

    Those that need each other in a circle come together, in order; all others alone. This is
    Gabow's path-based search for strong components, without recursion: a chain may be long.
    """
    index: dict[int, int] = {}
    done: set[int] = set()
    path: list[int] = []
    roots: list[int] = []
    for start in range(len(needs)):
        todo = [] if start in index else [(start, iter(needs[start]))]
        while todo:
            number, rest = todo[-1]
            if number not in index:
                index[number] = len(index)
                path.append(number)
                roots.append(number)
            for each in rest:
                if each not in index:
                    todo.append((each, iter(needs[each])))
                    break
                while each not in done and index[roots[-1]] > index[each]:
                    roots.pop()
            else:
                todo.pop()
                if roots[-1] == number:
                    roots.pop()
                    ring = [path.pop()]
                    while ring[-1] != number:
                        ring.append(path.pop())
                    done.update(ring)
                    yield sorted(ring)
