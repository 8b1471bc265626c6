"""Entries whose invalidation fails here: tried again, given up loudly, and in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from opwright import Completion
from opwright.clock import TurnedClock
from opwright.log.reader import TRUST
from opwright.log.undelivered import TRIES
from opwright.telemetry import recorded
from tests.kit.tables import Tables
from tests.kit.waiting import eventually, stays
from tests.log.kit import Shop, lines, stepped

BAD, GOOD = "pot", "cup"
CANNOT = RuntimeError("it cannot be invalidated")


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
    (line,) = lines(caplog, "WARNING")
    assert line == f"set_price (operation {identifier}) of another process: {CANNOT!r}; trying again"


async def test_the_log_shows_where_an_invalidation_fails_and_not_the_way_there(
    here: Shop, there: Shop, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    here.broken = {BAD}
    async with stepped(here) as reader, there.ops:
        await there.sell(BAD, 21)
        for _ in range(TRIES):
            await reader.run_once()
            clock.turn(5)
        await here.sell(BAD, 22)
    assert len(lines(caplog, "ERROR")) == 2
    assert caplog.text.count("in concerned") == 2
    assert caplog.text.count(f"RuntimeError: {CANNOT}") == 2
    assert "commander.py" not in caplog.text


@pytest.fixture
def hanging(here: Shop) -> Hanging:
    """What listens here hangs for one product, until it is released."""
    return Hanging(here)


class Hanging:
    """``hung``: how often it has. ``cut``: how often that was cancelled."""

    def __init__(self, shop: Shop) -> None:
        self.hung = self.cut = 0
        self.tell: Callable[[int], None] = lambda count: None
        self.released = asyncio.Event()
        shop.ops.on_completion(self.listen)

    async def listen(self, completion: Completion) -> None:
        if f'"{BAD}"' in completion.entry.inputs:
            self.hung += 1
            self.tell(self.hung)
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.cut += 1
                raise


async def test_an_invalidation_that_hangs_keeps_nobody_waiting(
    here: Shop, there: Shop, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on while others are delivered, is not tried again meanwhile, and counts when it ends."""
    monkeypatch.setattr("opwright.log.reader.PATIENCE", 60.0)
    limits = {1: "GRACE", 3: "HASTE"}  # nobody waits so long behind the others that hang; the good one may take its time
    hanging.tell = lambda count: monkeypatch.setattr(f"opwright.log.reader.{limits[count]}", 60.0) if count in limits else None
    async with stepped(here) as reader, there.ops:
        identifiers = [await there.sell(BAD, 21) for _ in range(3)]
        await there.sell(GOOD, 4)
        async with asyncio.timeout(20):
            await reader.run_once()
            pause = await reader.run_once()
        assert await here.price(GOOD) == 4
        assert (pause > 1, hanging.hung, reader.status().retrying, reader.status().replayed) == (True, 3, 3, 1)
        caught_up = [asyncio.create_task(reader.caught_up(one)) for one in identifiers]
        await eventually(lambda: len(reader._waiters) == 3)
        await reader.run_once()
        hanging.released.set()
        await asyncio.gather(*caught_up)
        assert (hanging.hung, reader.status().retrying, reader.status().replayed) == (3, 0, 4)


async def test_an_invalidation_that_hangs_for_too_long_is_tried_again(
    here: Shop, there: Shop, hanging: Hanging, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And given up in the end. The reader is woken when it knows."""
    monkeypatch.setattr("opwright.log.reader.PATIENCE", 0.02)
    monkeypatch.setattr("opwright.log.reader.GRACE", 0.0)
    monkeypatch.setattr("opwright.log.reader.HASTE", 0.0)
    wakes: list[None] = []
    async with stepped(here) as reader, there.ops:
        monkeypatch.setattr(reader, "wake", lambda: wakes.append(None))  # what the watcher calls is another reference
        await there.sell(BAD, 21)
        for tries in range(1, TRIES + 1):
            await reader.run_once()
            await eventually(lambda: len(wakes) == tries)  # noqa: B023 - waits here
            assert hanging.cut == hanging.hung == tries
            clock.turn(5)
        assert (reader.status().retrying, reader.status().abandoned) == (0, 1)


@pytest.mark.parametrize("how", ["stopped", "lost"])
async def test_what_hangs_ends_with_the_reading(here: Shop, there: Shop, hanging: Hanging, how: str, clock: TurnedClock) -> None:
    """No task is left. What it was for is delivered when the reading begins again, or was invalidated with everything."""
    async with stepped(here) as reader, there.ops:
        await there.sell(BAD, 21)
        await reader.run_once()
        if how == "stopped":
            await reader.stop()
            assert hanging.cut == 1
        else:
            clock.turn(TRUST + 1)
            await reader.run_once()
            await eventually(lambda: hanging.cut == 1)
        assert reader.status().retrying == (how == "stopped")
        hanging.released.set()
        await reader.run_once()
        assert (reader.status().retrying, hanging.hung) == (0, 1 + (how == "stopped"))


@pytest.mark.parametrize("grace", [60.0, 0.0])
async def test_what_waits_for_something_that_was_cancelled_has_failed(
    here: Shop, there: Shop, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch, grace: float
) -> None:
    """By somebody else, before or after it was overtaken. It is tried again, as after any error."""
    monkeypatch.setattr("opwright.log.reader.GRACE", grace)
    shared: list[asyncio.Future[None]] = []

    @here.ops.on_completion
    async def wait_for_another(completion: Completion) -> None:
        shared.append(asyncio.get_running_loop().create_future())
        if len(shared) == 1:
            asyncio.get_running_loop().call_later(0.05, shared[0].cancel)
            await shared[0]

    async with stepped(here) as reader, there.ops:
        identifier = await there.sell(BAD, 21)
        await reader.run_once()
        await eventually(lambda: shared[0].cancelled() and not reader._undelivered.any_hangs)
        assert (reader.status().retrying, reader.status().replayed) == (1, 0)
        clock.turn(0.1)
        waiting = asyncio.create_task(reader.caught_up(identifier))
        await eventually(lambda: bool(reader._waiters))
        await reader.run_once()
        await waiting
        assert (len(shared), reader.status().retrying, reader.status().replayed) == (2, 0, 1)


async def test_a_reading_that_is_given_up_ends_with_its_try_and_reads_the_entry_again(here: Shop, there: Shop) -> None:
    """Not before: while the try cleans up the entry counts as seen, and would be passed over as delivered."""
    runs, cut, cleaned = list[str](), asyncio.Event(), asyncio.Event()

    @here.ops.on_completion
    async def clean_up(completion: Completion) -> None:
        runs.append(completion.entry.inputs)
        if len(runs) == 1:
            try:
                await asyncio.Event().wait()
            finally:
                cut.set()
                await cleaned.wait()

    async with stepped(here) as reader, there.ops:
        await there.sell(BAD, 21)
        await reader.start()
        await eventually(lambda: len(runs) == 1)
        reader.interrupt()
        await cut.wait()
        await stays(lambda: reader.running, 0.3)
        cleaned.set()
        await eventually(lambda: len(runs) == 2)
        await eventually(lambda: reader.status().replayed == 1)


async def test_a_try_that_is_cut_and_fails_is_forgotten_with_the_reading(
    here: Shop, there: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own error, while it ends, is none of an entry that nobody follows any more: the reader rests."""
    monkeypatch.setattr("opwright.log.reader.GRACE", 0.0)
    cut: list[bool] = []

    @here.ops.on_completion
    async def fail_at_the_end(completion: Completion) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(True)
            raise RuntimeError("it was cut") from None

    async with stepped(here) as reader, there.ops:
        await there.sell(BAD, 21)
        await reader.run_once()
        monkeypatch.setattr(reader._following, "wanted", lambda: False)
        await reader.run_once()
        await eventually(lambda: bool(cut))
        await asyncio.sleep(0)  # what it does with its error
        assert reader.status().retrying == 0
        assert await reader.run_once() > 1


async def test_a_listener_that_fails_is_told_again_of_what_others_did_and_not_of_what_was_done_here(
    here: Shop, there: Shop, clock: TurnedClock
) -> None:
    """A command of this process has succeeded, and its caller must not suffer."""
    told: list[str] = []

    @here.ops.on_completion
    async def fail(completion: Completion) -> None:
        told.append(completion.entry.inputs)
        if len(told) < 3:
            raise RuntimeError("not today")

    async with stepped(here) as reader, there.ops:
        await here.sell(GOOD, 4)
        await there.sell(BAD, 21)
        for _ in range(3):
            await reader.run_once()
            clock.turn(0.2)
        assert (reader.status().retrying, reader.status().replayed) == (0, 1)
    ours, others = '{"product":"cup","price":4}', '{"product":"pot","price":21}'
    assert told == [ours, others, others]


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
