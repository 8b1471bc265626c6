"""The bag of an operation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from opwright import InvalidOperation, ItemMissing, Items
from opwright.commands.operation_items import OperationItems
from tests.commands.kit import Note, PlaceOrder


@dataclass
class Delivery:
    order: PlaceOrder
    at: datetime
    notes: list[Note]


@pytest.mark.parametrize(
    "value",
    [5, "text", 1.5, True, Note("typed"), Delivery(PlaceOrder(1), datetime(2026, 1, 1, tzinfo=UTC), [Note("one")])],
)
def test_a_value_arrives_as_it_was_put_in(value: Any) -> None:
    items = OperationItems()
    items.keyless_set(value)
    assert items.keyless_get(type(value)) == value
    arrived = Items.decode(items.snapshot().encode()).keyless_get(type(value))
    assert (arrived, type(arrived)) == (value, type(value))


def test_the_type_is_the_key_and_each_type_has_one_value() -> None:
    items = OperationItems()
    items.keyless_set(Note("first"))
    items.keyless_set(7)
    items.keyless_set(Note("second"))
    assert items.keyless_get(Note) == Note("second")
    assert items.snapshot().encode() == '{"Note":{"text":"second"},"int":7}'


def test_a_list_is_read_back_with_the_types_of_its_members() -> None:
    items = OperationItems()
    items.keyless_set([Note("one"), Note("two")])
    assert items.keyless_get(list[Note]) == [Note("one"), Note("two")]


def test_what_is_missing_is_an_error_unless_a_default_is_given() -> None:
    items = OperationItems()
    items.keyless_set(7)
    assert items.keyless_get(Note, None) is None
    with pytest.raises(ItemMissing, match="no item of type Note, only <items int>"):
        items.keyless_get(Note)


@pytest.mark.parametrize("value", [object(), lambda: None, float("nan"), "nul \x00", Note("half \ud800"), 1 << 80, {1, object()}])
def test_a_value_that_cannot_travel_is_refused_at_the_door(value: Any) -> None:
    items = OperationItems()
    with pytest.raises(InvalidOperation):
        items.keyless_set(value)
    assert items.snapshot() == Items()


def test_two_types_of_one_name_are_refused() -> None:
    items = OperationItems()
    items.keyless_set(Note("here"))
    namesake = type("Note", (int,), {})
    with pytest.raises(InvalidOperation, match="two types are named Note"):
        items.keyless_set(namesake(1))


def test_a_snapshot_does_not_change_with_the_bag() -> None:
    items = OperationItems()
    items.keyless_set(Note("then"))
    then = items.snapshot()
    items.keyless_set(Note("now"))
    assert then.keyless_get(Note) == Note("then")


def test_what_is_changed_after_it_was_put_in_does_not_change_the_bag() -> None:
    items, note = OperationItems(), [1]
    items.keyless_set(note)
    note.append(2)
    assert items.keyless_get(list[int]) == [1]
