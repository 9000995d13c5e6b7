"""Strategies for users as a client would send them, used by the laws of the core."""

from typing import Any

from hypothesis import strategies as st

from bridge.core.schema import ENTERPRISE_URN, USER_URN

TEXT = st.text(st.sampled_from("aAbBéÉ 1@.\"\\'"), min_size=1, max_size=6)
NAMES = st.text(st.sampled_from("aAbBéÉ1@."), min_size=1, max_size=6)
TYPES = st.sampled_from(["work", "home", "other", "Work"])


def parts(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def plural(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of values with a type, of which the first may be primary."""
    entries = st.lists(parts(value=NAMES, type=TYPES, display=TEXT, **more), max_size=3)
    return st.builds(
        lambda found, primary: [
            entry | ({"primary": True} if primary and index == 0 else {})
            for index, entry in enumerate(found)
        ],
        entries,
        st.booleans(),
    )


BODIES = st.fixed_dictionaries(
    {"schemas": st.just([USER_URN, ENTERPRISE_URN]), "userName": NAMES},
    optional={
        "externalId": NAMES,
        "displayName": TEXT,
        "title": TEXT,
        "active": st.booleans(),
        "name": parts(givenName=TEXT, familyName=TEXT),
        "emails": plural(),
        "phoneNumbers": plural(),
        "addresses": st.lists(parts(locality=TEXT, type=TYPES), max_size=2),
        ENTERPRISE_URN: parts(department=TEXT, manager=parts(value=NAMES)),
    },
)
