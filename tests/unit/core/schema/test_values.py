"""Values of each data type: what fits is kept as it is, what does not is refused."""

from typing import Any

import pytest

from bridge.core.errors import InvalidValue
from bridge.core.schema import (
    LENIENT,
    STRICT,
    Attribute,
    ResourceType,
    Schema,
    Tolerance,
    Type,
    normalize,
)
from bridge.core.schema.values import INTEGER_LIMIT, VALUES_LIMIT

WIDGET = ResourceType(
    "Widget",
    "/Widgets",
    Schema(
        "urn:example:Widget",
        "Widget",
        (
            Attribute("label", required=True),
            Attribute("count", Type.INTEGER),
            Attribute("weight", Type.DECIMAL),
            Attribute("made", Type.DATE_TIME),
            Attribute("blob", Type.BINARY, case_exact=True),
            Attribute("tags", multi_valued=True),
            Attribute("codes", multi_valued=True, case_exact=True),
        ),
    ),
)


def widget(tolerance: Tolerance = LENIENT, **body: Any) -> dict[str, Any]:
    whole = {"schemas": ["urn:example:Widget"], "label": "x"} | body
    return dict(normalize(WIDGET, whole, tolerance).attributes)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-05-13T04:42:34Z", "2026-05-13T04:42:34.000Z"),
        ("2026-05-13T04:42:34.1239Z", "2026-05-13T04:42:34.123Z"),
        ("2026-05-13T04:42:34+02:00", "2026-05-13T02:42:34.000Z"),
        ("2026-05-13T04:42:34", "2026-05-13T04:42:34.000Z"),
        ("0099-01-01T00:00:00Z", "0099-01-01T00:00:00.000Z"),
    ],
)
def test_R_8_times_become_utc_with_milliseconds(sent: str, kept: str) -> None:
    assert widget(made=sent)["made"] == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("made", "2026-05-13"),
        ("made", "2026-02-30T00:00:00Z"),
        ("made", "0001-01-01T00:00:00+14:00"),
        ("made", 5),
        ("blob", "YQ="),
        ("blob", "Y Q=="),
        ("blob", "-_8="),
        ("count", 1.0),
        ("count", "1"),
        ("count", True),
        ("count", INTEGER_LIMIT),
        ("weight", "1.5"),
        ("weight", float("inf")),
        ("label", True),
        ("label", ["x"]),
        ("label", {"x": 1}),
        ("label", "nul\0"),
        ("label", "half of a pair \ud800"),
        ("tags", [["x"]]),
    ],
)
def test_R_8_R_9_values_that_do_not_fit_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidValue, match=name):
        widget(**{name: value})


def test_R_9_values_that_fit_are_kept_as_they_are() -> None:
    values = {"count": -7, "weight": 1.5, "blob": "YWI=", "tags": ["x"], "label": "a\tb é 😀"}
    assert widget(STRICT, **values) == values


def test_R_3_R_6_equal_values_of_a_list_are_kept_once() -> None:
    assert widget(tags=["a", "A", "b"])["tags"] == ["a", "b"]
    assert widget(codes=["a", "A", "a"])["codes"] == ["a", "A"]


def test_a_list_has_a_limit_of_values() -> None:
    tags = [str(number) for number in range(VALUES_LIMIT + 1)]
    assert len(widget(tags=tags[1:])["tags"]) == VALUES_LIMIT
    with pytest.raises(InvalidValue, match=str(VALUES_LIMIT)):
        widget(tags=tags)
