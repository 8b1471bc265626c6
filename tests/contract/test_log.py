"""The log of committed commands: whatever the order of commits, each entry is read once, and nothing that was rolled back is."""

from typing import Any

import pytest

from opwright.clock import SECOND
from opwright.errors import DuplicateRow
from opwright.model.ids import new_id
from opwright.model.items import Items
from opwright.model.log_entry import LogEntry, NestedEntry
from opwright.store import log as logs
from opwright.store.store import Store
from tests.contract.kit import query
from tests.contract.log_kit import entry, read, write

ITEMS = Items({"Total": b'{"euro":5}', "int": b"7"})


async def test_what_was_committed_is_read_by_another_process_as_it_was_written(store: Store, other: Store) -> None:
    """With its items, and the commands that it called."""
    begin = await other.log.end()
    nested = (NestedEntry("reserve", '{"photo":"cat"}', Items()), NestedEntry("count", "{}", ITEMS))
    written = LogEntry(new_id(), (1 << 62) + 1, 123, "place_order", '{"text":"Grüße, \\u2028"}', ITEMS, nested)
    await write(store, written)
    found, end = await read(other, begin)
    assert found == [written]
    assert (await read(other, end))[0] == []


async def test_a_reader_begins_with_what_comes_after_it(store: Store, other: Store) -> None:
    """A process whose cache is empty has nothing to invalidate."""
    await write(store, entry())
    begin = await other.log.end()
    await write(store, later := entry())
    assert (await read(other, begin))[0] == [later]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
async def test_however_large_the_windows_each_entry_is_read_once(store: Store, limit: int) -> None:
    begin = await store.log.end()
    written = [entry(str(number)) for number in range(7)]
    await write(store, *written)
    assert (await read(store, begin, limit))[0] == written


async def test_a_command_that_fails_leaves_no_entry(store: Store) -> None:
    """Its transaction takes the entry with it."""
    begin = await store.log.end()

    def fails() -> Any:
        yield from logs.append(entry())
        raise KeyError

    with pytest.raises(KeyError):
        await store.engine.play(fails())
    assert (await read(store, begin))[0] == []


async def test_an_operation_is_logged_once(store: Store) -> None:
    """The second attempt to commit it is refused."""
    await write(store, one := entry())
    with pytest.raises(DuplicateRow):
        await write(store, one)


async def test_a_lost_commit_that_landed_is_found(store: Store, other: Store) -> None:
    """Whoever asks in place of the answer learns it, as often as it is asked."""
    await write(store, one := entry())
    assert [await other.log.committed(one.id) for _ in range(2)] == [True, True]


async def test_a_lost_commit_that_did_not_land_never_will(store: Store, other: Store) -> None:
    """The answer is final: what was on its way is refused; a tombstone is no entry."""
    begin, one = await store.log.end(), entry()
    assert [await other.log.committed(one.id) for _ in range(2)] == [False, False]
    with pytest.raises(DuplicateRow):
        await write(store, one)
    assert (await read(store, begin))[0] == []


async def test_a_further_attempt_takes_the_place_of_the_tombstone(store: Store, other: Store) -> None:
    """Its entry is read like any other, and what of the attempt before is still on its way is refused as before."""
    begin, one = await store.log.end(), entry()
    assert not await other.log.committed(one.id)
    await store.engine.play(logs.append_anew(one))
    assert (await read(other, begin))[0] == [one]
    assert await other.log.committed(one.id)
    for late in (logs.append, logs.append_anew):
        with pytest.raises(DuplicateRow):
            await store.engine.play(late(one))


async def test_a_further_attempt_that_fails_leaves_the_tombstone(store: Store) -> None:
    """The id is never free."""
    one = entry()
    assert not await store.log.committed(one.id)

    def fails() -> Any:
        yield from logs.append_anew(one)
        raise KeyError

    with pytest.raises(KeyError):
        await store.engine.play(fails())
    with pytest.raises(DuplicateRow):
        await write(store, one)


async def test_the_log_can_be_looked_at(store: Store) -> None:
    """Under the name that people know."""
    await write(store, one := entry())
    assert not await store.log.committed(new_id())  # a tombstone is no command
    name = 'opwright."_Operations"' if store.engine.dialect.name == "postgresql" else "opwright._Operations"
    assert await query(store, f"select id, origin, command from {name}") == [(one.id, 77, "place_order")]


async def test_only_what_is_old_is_trimmed_the_oldest_first(store: Store) -> None:
    """In bounded batches."""
    begin = await store.log.end()
    await write(store, *[entry(str(at), at=at * SECOND) for at in (1, 2, 3, 10)])
    _, horizon = await store.log.trim(0)
    trimmed = []
    for _ in range(3):
        count, _ = await store.log.trim(5 * SECOND, horizon, limit=2)
        trimmed.append((count, [one.command for one in (await read(store, begin))[0]]))
    assert trimmed == [(2, ["3", "10"]), (1, ["10"]), (0, ["10"])]


async def test_an_end_leads_to_the_ends_behind_it(store: Store) -> None:
    """As long as it is the same database, which nobody has set back."""
    first = await store.log.end()
    await write(store, entry())
    second = await store.log.end()
    assert first.leads_to(second)
    assert first.leads_to(first)
    assert not second._replace(newest=second.newest + 5).leads_to(second)
    assert not first._replace(identity="another").leads_to(second)
