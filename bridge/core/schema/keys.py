"""Comparison keys: the form in which names are equal, unique and found.

Rule: two values of an attribute are the same exactly when their `comparison_key` is.
"""

from typing import Any
from unicodedata import normalize as unicode_form

import attrs

from bridge.core.resources import Attributes
from bridge.core.schema.attributes import Attribute, Type
from bridge.core.schema.resource_types import ResourceType


def name_key(text: str) -> str:
    """Return the key of a text whose case does not count: NFC(lower(NFC(text))), idempotent.

    A final sigma is a sigma, so that a character's key never depends on its neighbours: the
    beginning of a key is the key of a beginning, and a database can do the same.
    """
    if text.isascii():
        return text.lower()
    return unicode_form("NFC", unicode_form("NFC", text).lower().replace("\u03c2", "\u03c3"))


def comparison_key(attribute: Attribute, value: Any) -> Any:
    """Return the form in which two values of `attribute` are compared (RFC 7643 caseExact)."""
    if attribute.case_exact or not isinstance(value, str):
        return value
    return value if attribute.type in (Type.DATE_TIME, Type.BINARY) else name_key(value)


@attrs.frozen
class IndexKeys:
    """What the journal indexes of one document.

    `values` are (canonical path, key, exclusive): every e-mail address, and each value of an
    attribute that is unique (exclusive True) other than the type's name.
    """

    name_key: str | None
    external_id: str | None
    display_key: str | None
    active: bool | None
    values: tuple[tuple[str, str, bool], ...] = ()


def index_keys(rtype: ResourceType, attributes: Attributes) -> IndexKeys:
    """Return the index keys of a document that `normalize` or `patch.apply` made."""
    name = rtype.name_attribute
    display = attributes.get("displayName")
    active = attributes.get("active")
    values = (
        (str(target), str(comparison_key(target.leaf, value)), exclusive)
        for target, exclusive in rtype.indexed
        for value in target.values(attributes)
    )
    return IndexKeys(
        name_key=comparison_key(name, attributes.get(name.name)) if name else None,
        external_id=attributes.get("externalId"),
        display_key=name_key(display) if isinstance(display, str) else None,
        active=active if isinstance(active, bool) else None,
        values=tuple(dict.fromkeys(values)),
    )
