"""What one process commits is invalidated in another: exactly that, once, and never missed."""

from __future__ import annotations

import asyncio

import pytest

from opwright import InvalidOperation, LogEntry, Opwright
from opwright.clock import SECOND, TurnedClock
from opwright.errors import StoreError
from opwright.log.reader import TRUST
from opwright.log.undelivered import TRIES
from opwright.model.ids import new_id
from opwright.telemetry import recorded
from tests.contract.log_kit import write
from tests.kit.tables import Tables
from tests.kit.waiting import eventually
from tests.kit.wire import wire_to
from tests.log.kit import SetPrice, Shop, lines, stepped

BAD, GOOD = "pot", "cup"


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


async def test_as_long_as_nothing_is_cached_nothing_is_asked_of_the_database(prices: dict[str, int]) -> None:
    """There is none."""
    shop = Shop("postgresql://postgres@127.0.0.1:9/nothing", prices)
    await shop.ops.reading.enter()
    await shop.reader.run_once()
    assert not shop.reader.status().following
    await shop.ops.reading.leave()


async def test_a_process_without_commands_reads_nothing_whatever_it_caches(database_url: str) -> None:
    ops = Opwright(database_url)

    @ops.computed
    async def one() -> int:
        return 1

    async with ops:
        assert await one() == 1
        assert not ops.log_status().following


async def test_when_the_last_value_is_gone_reading_ends(here: Shop, there: Shop) -> None:
    """And what is cached later is read for again."""
    async with stepped(here) as reader, there.ops:
        here.ops.invalidate_all()
        await reader.run_once()
        assert not reader.status().following
        await there.sell("cup", 5)
        await reader.start()
        await here.read()
        await here.ops.caught_up(await there.sell("pot", 30))
        assert await here.read() == [5, 30, 35]
    assert here.invalidated == ["pot"]


async def test_a_listener_alone_is_reason_to_read(here: Shop, there: Shop) -> None:
    heard: list[LogEntry] = []

    async def hear(completion: object) -> None:
        heard.append(completion.entry)  # type: ignore[attr-defined]

    here.ops.commander.notifier.listen(hear)
    async with stepped(here) as reader, there.ops:
        here.ops.invalidate_all()
        await reader.run_once()
        identifier = await there.sell("cup", 5)
        await reader.run_once()
    assert [entry.id for entry in heard] == [identifier]


async def test_a_first_value_is_computed_once_and_nothing_is_missed_from_then_on(here: Shop, there: Shop) -> None:
    """Its computing waits for the reading to begin: what is committed while the body runs is read."""
    begun, go = asyncio.Event(), asyncio.Event()

    @here.ops.computed
    async def slow() -> int:
        value = await here.price("cup")
        begun.set()
        await go.wait()
        return value

    async with here.ops, there.ops:
        computing = asyncio.create_task(slow())
        await begun.wait()
        assert here.ops.log_status().following
        await here.ops.caught_up(await there.sell("cup", 5))
        go.set()
        assert await computing == 3
        assert await slow() == 5


async def test_what_was_cached_before_the_application_was_opened_is_invalidated_when_it_is(here: Shop, there: Shop) -> None:
    """Nobody knows what was committed meanwhile."""
    await here.read()
    async with there.ops:
        await there.sell("cup", 5)
    async with here.ops:
        await here.ops.caught_up(1)
        assert await here.read() == [5, 20, 25]


async def test_a_value_is_computed_though_the_database_is_away(prices: dict[str, int]) -> None:
    """And invalidated when reading begins at last."""
    shop = Shop("postgresql://postgres@127.0.0.1:9/nothing", prices)
    await shop.ops.reading.enter()
    assert await shop.read() == [3, 20, 23]
    await shop.ops.reading.leave()


async def test_who_has_nothing_to_ask_any_more_does_not_say_that_the_database_is_back(prices: dict[str, int]) -> None:
    shop = Shop("postgresql://postgres@127.0.0.1:9/nothing", prices)
    with recorded() as events:
        await shop.ops.reading.enter()
        await shop.read()
        await eventually(lambda: shop.reader.failing)
        shop.ops.invalidate_all()
        await eventually(lambda: not shop.reader.failing)
        await shop.ops.reading.leave()
    assert [name for name, _ in events if name.startswith("outage.")] == ["outage.began"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_that_could_not_even_be_opened_is_told_of_when_it_is_back(
    database_url: str, prices: dict[str, int]
) -> None:
    """As in a worker process, which opens it when it caches its first value."""
    async with wire_to(database_url) as wire:
        wire.starting = True
        here = Shop(wire.url(database_url), prices)
        with recorded() as events:
            await here.ops.reading.enter()
            await here.read()
            await eventually(lambda: here.reader.failing)
            wire.starting = False
            await eventually(lambda: not here.reader.failing)
        await here.ops.reading.leave()
        await here.ops.client.close()
    told = [name for name, _ in events if name.startswith(("outage.", "log."))]
    assert told == ["outage.began", "log.followed", "outage.ended"]


async def test_an_entry_that_fails_does_not_keep_others_from_being_delivered(here: Shop, there: Shop, clock: TurnedClock) -> None:
    """It is tried again after a while, however often the reader is woken meanwhile."""
    here.broken = {BAD}
    async with stepped(here) as reader, there.ops:
        await there.sell(BAD, 21)
        await there.sell(GOOD, 4)
        for _ in range(5):
            assert await reader.run_once() <= 0.1
        assert here.invalidated == [BAD, GOOD]
        assert reader.status().retrying == 1
        here.broken.clear()
        clock.turn(0.1)
        await reader.run_once()
        assert await here.read() == [4, 21, 25]
        status = reader.status()
    assert (status.retrying, status.abandoned, status.replayed) == (0, 0, 2)


async def test_an_entry_that_fails_again_and_again_is_given_up_loudly(
    here: Shop, there: Shop, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """After some tries, with an error in the log, and never tried again."""
    here.broken = {BAD}
    async with stepped(here) as reader, there.ops:
        identifier = await there.sell(BAD, 21)
        with recorded() as events:
            for _ in range(2 * TRIES):
                await reader.run_once()
                clock.turn(5)
    assert here.invalidated == [BAD] * TRIES
    abandoned = [fields for name, fields in events if name == "log.abandoned"]
    assert [(one["operation"], one["command"], one["tries"]) for one in abandoned] == [(identifier, "set_price", TRIES)]
    (line,) = [one for one in lines(caplog, "ERROR") if "given up" in one]
    assert str(identifier) in line
    assert reader.status().abandoned == 1


async def test_an_invalidation_that_hangs_does_not_keep_others_from_being_delivered(
    here: Shop, there: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opwright.log.reader.PATIENCE", 0.05)
    hung: list[str] = []

    async def hang(completion: object) -> None:
        if completion.entry.inputs == '{"product":"pot","price":21}':  # type: ignore[attr-defined]
            hung.append("pot")
            await asyncio.Event().wait()

    here.ops.commander.notifier.listen(hang)
    async with stepped(here) as reader, there.ops:
        await there.sell(BAD, 21)
        await there.sell(GOOD, 4)
        await reader.run_once()
        assert hung == [BAD]
        assert (await here.price(GOOD), reader.status().retrying) == (4, 1)


async def test_a_row_that_is_no_entry_does_not_hide_the_others(here: Shop, there: Shop, database_url: str) -> None:
    """It is told of, like what is given up."""
    async with stepped(here) as reader, there.ops:
        identifier = await there.sell(BAD, 21)
        await Tables(database_url).rows(f"update opwright.operation_log set nested = '[1]' where id = {identifier}")
        await there.sell(GOOD, 4)
        with recorded() as events:
            await reader.run_once()
        assert here.invalidated == [GOOD]
        assert [fields["operation"] for name, fields in events if name == "log.abandoned"] == [identifier]
        await reader.run_once()
        assert here.invalidated == [GOOD]


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


async def test_who_has_not_read_for_longer_than_entries_are_certain_to_stay_invalidates_everything(
    here: Shop, there: Shop, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so once."""
    async with stepped(here) as reader, there.ops:
        clock.turn(TRUST + 1)
        with recorded() as events:
            await reader.run_once()
            assert len(lines(caplog, "ERROR")) == 1
            await here.read()
            await reader.run_once()
        assert here.runs == {"cup": 2, "pot": 2, "total": 2}
        assert [name for name, _ in events if name == "log.lost"] == ["log.lost"]
        assert reader.status().lost == 1
        await there.sell("cup", 5)
        await reader.run_once()
        assert await here.read() == [5, 20, 25]


async def test_a_pause_in_which_nothing_can_have_been_trimmed_loses_nothing(here: Shop, there: Shop, clock: TurnedClock) -> None:
    async with stepped(here) as reader, there.ops:
        await there.sell("cup", 5)
        clock.turn(TRUST - 1)
        await reader.run_once()
        assert await here.read() == [5, 20, 25]
    assert here.runs["pot"] == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_in_the_place_of_another_invalidates_everything(here: Shop, postgres_server: object) -> None:
    """As when it was restored under a reader that runs on."""
    with postgres_server.database() as url:  # type: ignore[attr-defined]
        async with stepped(here) as reader:
            back = here.ops.client.move(url, here.ops.client.clock, "opwright")
            await reader.run_once()
            await here.ops.client.close()
            back()
            assert reader.status().lost == 1
            await here.read()
    assert here.runs == {"cup": 2, "pot": 2, "total": 2}


async def test_a_database_that_was_set_back_invalidates_everything(here: Shop, there: Shop, database_url: str) -> None:
    """On SQLite the positions tell, on PostgreSQL the transactions."""
    async with stepped(here) as reader, there.ops:
        end = reader._end
        assert end is not None
        reader._end = end._replace(newest=end.newest + 1_000_000)
        await reader.run_once()
        assert reader.status().lost == 1
        assert await here.read() == [3, 20, 23]
    assert here.runs == {"cup": 2, "pot": 2, "total": 2}


async def test_between_two_looks_pass_no_more_than_five_seconds(here: Shop) -> None:
    """4.5 s, give or take a tenth, so that processes do not march in step."""
    async with stepped(here) as reader:
        pauses = [await reader.run_once() for _ in range(200)]
    assert 4.05 <= min(pauses) < 4.2
    assert 4.8 < max(pauses) <= 4.95


async def test_who_is_to_catch_up_with_what_fails_waits_until_it_is_delivered(
    here: Shop, there: Shop, clock: TurnedClock
) -> None:
    here.broken = {BAD}
    async with here.ops, there.ops:
        await here.read()
        waiting = asyncio.create_task(here.ops.caught_up(await there.sell(BAD, 21)))
        with pytest.raises(TimeoutError):
            await here.ops.caught_up(await there.sell(BAD, 22), timeout=0.01)
        here.broken.clear()
        clock.turn(1)
        await waiting
        await here.ops.caught_up(there.seen[-1])
        assert await here.price(BAD) == 22


async def test_nobody_waits_for_what_was_committed_here(here: Shop) -> None:
    async with here.ops:
        await here.sell("cup", 5)
        await here.reader.stop()
        await here.ops.caught_up(here.seen[0], timeout=0.01)


async def test_a_process_that_reads_nothing_says_so(here: Shop) -> None:
    with pytest.raises(InvalidOperation, match="open the application"):
        await here.ops.caught_up(1)
    assert not here.ops.log_status().following


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
        await write(store, *[LogEntry(new_id(), 77, SECOND, "set_price", inputs) for _ in range(1201)])
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
