"""What one process commits is invalidated in another: exactly that, once, and never missed."""

from __future__ import annotations

import pytest

from opwright import LogEntry
from opwright.clock import SECOND, TurnedClock
from opwright.errors import StoreError
from opwright.model.ids import new_id
from opwright.store import log as logs
from opwright.store.engine import Plan
from opwright.telemetry import recorded
from tests.contract.log_kit import write
from tests.log.kit import SetPrice, Shop, stepped


async def test_a_command_of_another_process_invalidates_exactly_what_it_concerns(here: Shop, there: Shop) -> None:
    async with here.ops, there.ops:
        assert [await here.read(), await there.read()] == [[3, 20, 23]] * 2
        await here.ops.caught_up(await there.sell("cup", 5))
        assert [await here.read(), await there.read()] == [[5, 20, 25]] * 2
    assert here.runs == there.runs == {"cup": 2, "pot": 1, "total": 2}


async def test_what_this_process_wrote_is_not_invalidated_a_second_time(here: Shop, there: Shop) -> None:
    """Its entry is read and passed over."""
    async with stepped(here) as reader, there.ops:
        await here.sell("cup", 4)
        await there.sell("pot", 21)
        await reader.run_once()
        await here.read()
        own = LogEntry(new_id(), here.ops.commander.origin, 1, "set_price", '{"product":"cup","price":1}')
        await write(await here.ops.client.store(), own)
        await reader.run_once()
    assert here.invalidated == ["cup", "pot"]
    status = reader.status()
    assert (status.read, status.replayed) == (3, 1)


async def test_what_this_process_may_have_committed_without_learning_of_it_is_invalidated_when_it_is_read(here: Shop) -> None:
    """The database did not say what became of a COMMIT, and the command has failed."""
    async with stepped(here) as reader:
        own = LogEntry(new_id(), here.ops.commander.origin, 1, "set_price", '{"product":"cup","price":1}')
        here.ops.commander.notifier.doubt(own.id)
        await write(await here.ops.client.store(), own)
        for _ in range(2):
            await reader.run_once()
    assert here.invalidated == ["cup"]


async def test_an_entry_that_was_delivered_before_a_reading_failed_is_not_delivered_again(
    here: Shop, there: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opwright.log.reader.WINDOW", 1)
    async with stepped(here) as reader, there.ops:
        await there.sell("cup", 5)
        await there.sell("pot", 30)
        log = (await here.ops.client.store()).log
        between, calls = log.between, 0

        async def fails(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise StoreError("gone")
            return await between(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(log, "between", fails)
        with pytest.raises(StoreError):
            await reader.run_once()
        await reader.run_once()
    assert here.invalidated == ["cup", "pot"]


async def test_between_two_looks_pass_no_more_than_five_seconds(here: Shop) -> None:
    """4.5 s, give or take a tenth, so that processes do not march in step."""
    async with stepped(here) as reader:
        pauses = [await reader.run_once() for _ in range(200)]
    assert 4.05 <= min(pauses) < 4.2
    assert 4.8 < max(pauses) <= 4.95


async def test_nobody_waits_for_what_was_committed_here(here: Shop) -> None:
    async with here.ops:
        await here.sell("cup", 5)
        await here.reader.stop()
        await here.ops.caught_up(here.seen[0], timeout=0.01)


async def test_the_lag_is_that_of_the_latest_entry(here: Shop, there: Shop, clock: TurnedClock) -> None:
    """From its own time to its delivery here."""
    async with stepped(here) as reader, there.ops:
        await there.sell("cup", 5)
        clock.turn(2)
        with recorded() as events:
            await reader.run_once()
        status = reader.status()
        assert status.lag == pytest.approx(2)
        assert status.age == 0
        clock.turn(3)
        assert reader.status().age == pytest.approx(3)
    assert [fields for name, fields in events if name == "log.read"] == [{"entries": 1, "replayed": 1, "lag": pytest.approx(2)}]


async def test_many_entries_are_read_in_windows_each_once(here: Shop, there: Shop) -> None:
    async with stepped(here) as reader, there.ops:
        store = await there.ops.client.store()
        inputs = '{"product":"cup","price":1}'

        def some(count: int) -> Plan[None]:
            for _ in range(count):
                yield from logs.append(LogEntry(new_id(), 77, SECOND, "set_price", inputs))

        for count in (*[100] * 12, 1):  # a slow disk would take a minute for so many commits
            await store.engine.play(some(count))
        await reader.run_once()
    assert (reader.status().replayed, len(here.invalidated)) == (1201, 1201)


async def test_a_command_that_this_program_does_not_know_is_passed_over(here: Shop, there: Shop) -> None:
    async with stepped(here) as reader, there.ops:
        await write(await there.ops.client.store(), LogEntry(new_id(), 77, 1, "of_another_program", "{}"))
        await there.sell("cup", 5)
        await reader.run_once()
    assert (here.invalidated, reader.status().retrying) == (["cup"], 0)


async def test_a_command_that_failed_invalidates_nothing_anywhere(here: Shop, there: Shop) -> None:
    async with stepped(here) as reader, there.ops:

        @there.ops.command_filter(priority=1)
        async def fail(command: SetPrice, context: object, call_next: object) -> None:
            await call_next()  # type: ignore[operator]
            raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            await there.sell("cup", 5)
        await reader.run_once()
    assert here.invalidated == []
