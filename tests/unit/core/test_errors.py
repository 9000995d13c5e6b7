"""The tree drawn at the top of `bridge.core.errors` is the tree."""

import inspect

import pytest

from bridge.core import errors

# RFC 7644 table 9, RFC 9865 section 2.3
SCIM_TYPES = {
    "invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath",
    "noTarget", "invalidValue", "invalidVers", "sensitive",
    "invalidCursor", "expiredCursor", "invalidCount",
}  # fmt: skip


def classes() -> list[type[errors.BridgeError]]:
    found = [item for item in vars(errors).values() if inspect.isclass(item)]
    return [item for item in found if issubclass(item, errors.BridgeError)]


def test_every_class_is_drawn() -> None:
    drawing = errors.__doc__ or ""
    assert [c.__name__ for c in classes() if c.__name__ not in drawing] == []


def test_every_scim_type_has_exactly_one_class() -> None:
    types = [c.scim_type for c in classes() if issubclass(c, errors.ScimError) and c.scim_type]
    assert sorted(types) == sorted(SCIM_TYPES)


def test_operator_errors_are_one_line_with_a_next_step() -> None:
    error = errors.OperatorError("BRG-X-001", "It is broken.", "Mend it.")
    assert str(error) == "BRG-X-001: It is broken. Next: Mend it."


def test_outcomes_can_be_raised_and_chained() -> None:
    cause = KeyError("x")
    with pytest.raises(errors.Park) as caught:
        raise errors.Park("no such attribute", "Mend the mapping.") from cause
    assert caught.value.__cause__ is cause
    assert str(caught.value) == "no such attribute"
