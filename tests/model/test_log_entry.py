"""The record of a committed command."""

from opwright.model.items import Items
from opwright.model.log_entry import LogEntry, NestedEntry, decode_nested, encode_nested

INNER = NestedEntry("rename", '{"to":"ä \\" b"}', Items({"int": b"7"}))
LAST = NestedEntry("clear", "{}", Items())


def test_nested_entries_are_one_json_list_and_come_back_as_they_were() -> None:
    text = encode_nested((INNER, LAST))
    assert text is not None
    assert '"inputs":{"to":"ä \\" b"}' in text  # JSON within JSON, not text within text
    assert decode_nested(text) == (INNER, LAST)


def test_nothing_nested_is_nothing_written() -> None:
    assert encode_nested(()) is None
    assert decode_nested(None) == ()
    assert Items().encode() is None
    assert Items.decode(None) == Items()


def test_an_entry_falls_into_parts_that_each_have_their_own_items() -> None:
    entry = LogEntry(1, 2, 3, "place", '{"customer":1}', Items({"str": b'"outer"'}), (INNER, LAST))
    parts = list(entry.parts())
    assert [(part.command, part.items) for part in parts] == [
        ("rename", INNER.items),
        ("clear", LAST.items),
        ("place", entry.items),
    ]
    assert {(part.id, part.origin, part.logged_at) for part in parts} == {(1, 2, 3)}
