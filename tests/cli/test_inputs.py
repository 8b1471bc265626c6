"""A text becomes what the parameter's type wants."""

from datetime import date
from enum import Enum
from typing import Any, Literal

import msgspec
import pytest

from opwright.admin.inputs import typed_value
from opwright.errors import InvalidOperation


class Colour(Enum):
    RED = "red"


class Point(msgspec.Struct):
    x: int
    y: int


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("640", int, 640),
        ("640", str, "640"),
        ("640", float, 640.0),
        ("640", Any, 640),
        ("cat.jpg", Any, "cat.jpg"),
        ("cat.jpg", str, "cat.jpg"),
        ("", str, ""),
        ("007", str, "007"),
        ("true", bool, True),
        ("true", str, "true"),
        ("null", str | None, None),
        ("null", str, "null"),
        ("[1, 2]", list[int], [1, 2]),
        ("[1, 2]", str, "[1, 2]"),
        ('{"1": "a"}', dict[int, str], {1: "a"}),
        ('{"x": 1, "y": 2}', Point, Point(1, 2)),
        ("2026-02-28", date, date(2026, 2, 28)),
        ("red", Colour, Colour.RED),
        ("1", Literal["1", "2"], "1"),
        ("a=b", str, "a=b"),
        ("grüße", str, "grüße"),
    ],
)
def test_it_is_json_where_that_fits_and_text_where_not(text: str, kind: Any, value: object) -> None:
    assert typed_value("field", text, kind) == value
    assert type(typed_value("field", text, kind)) is type(value)


@pytest.mark.parametrize(("text", "kind"), [("yes", bool), ("1.5", int), ("", int), ("[1", list[int]), ("x" * 500, int)])
def test_what_fits_neither_way_names_the_field(text: str, kind: Any) -> None:
    with pytest.raises(InvalidOperation, match=r"^size: ") as refused:
        typed_value("size", text, kind)
    assert refused.value.field == "size"
    assert len(str(refused.value)) < 200
