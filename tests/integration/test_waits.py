"""Operations that wait to be resumed: they keep no worker, can be resumed from any process, and run again if nobody does."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from opwright import OperationFailed, Opwright, Status, operation
from opwright.app.host import Host
from opwright.operations.handle import Handle
from tests.kit.processes import ROOT, HostProcess
from tests.kit.tables import Tables
from tests.kit.trade import Trade
from tests.kit.waiting import eventually

LONG = 3600.0  # seconds: a wait that ends by itself only after the test


class Asking:
    """An application whose operation asks, and remembers how often it was begun."""

    def __init__(self, url: str) -> None:
        self.ops = Opwright(url)
        self.begun: list[float] = []
        self.ask = self.ops.operation(name="ask")(self._ask)

    async def _ask(self, questions: int) -> list[str]:
        self.begun.append(time.monotonic())
        return [str(operation.wait()) for _ in range(questions)]

    def host(self, interval: float, waits: int = 3) -> Host:
        """A host in this process that leaves looking to nobody's heartbeat."""
        return self.ops.host(pool="inline", heartbeat=LONG, wait_interval=interval, waits=waits)


@pytest.fixture
async def asking(database_url: str) -> AsyncIterator[Asking]:
    """The application, open."""
    asking = Asking(database_url)
    async with asking.ops:
        yield asking


async def waits(handle: Handle[Any]) -> None:
    """Until it waits."""

    async def seen() -> bool:
        return await handle.status() is Status.WAIT

    await eventually(seen, 20, "it waits")


async def test_an_operation_that_waits_reads_wait_and_is_not_begun_again_before_its_interval_is_over(asking: Asking) -> None:
    """DAM-85, 86, 87: WAIT, not eligible during the interval, eligible by itself after it."""
    async with asking.host(interval=0.5, waits=100):
        handle = await asking.ask.submit(1)
        await waits(handle)
        await eventually(lambda: len(asking.begun) >= 2, 10, "it is begun again, though nobody answered")
        await handle.resume("now")
        assert await handle.result(5) == ["now"]
    assert asking.begun[1] - asking.begun[0] >= 0.5


async def test_it_ends_failed_when_its_waits_are_used_up(asking: Asking) -> None:
    """DAM-87: so many in a row that nobody answers; its log tells of each."""
    async with asking.host(interval=0.05, waits=2):
        handle = await asking.ask.submit(1)
        with pytest.raises(OperationFailed, match="it waited 2 times in a row, and nobody resumed it"):
            await handle.result(10)
    assert len(asking.begun) == 3


async def test_the_interval_is_a_setting_of_the_host(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """DAM-88: by the variable that the seed has for it, in milliseconds; an argument is stronger."""
    monkeypatch.setenv("OPERATION_WAIT_INTERVAL", "250")
    assert asking.ops.host().settings.wait_interval == 0.25
    assert asking.ops.host(wait_interval=7).settings.wait_interval == 7
    async with asking.ops.host(pool="inline", heartbeat=LONG):
        handle = await asking.ask.submit(1)
        await eventually(lambda: len(asking.begun) >= 2, 10, "it is begun again")
        await handle.cancel()
    assert asking.begun[1] - asking.begun[0] >= 0.25


async def test_it_is_resumed_at_once_from_another_process(asking: Asking) -> None:
    """No heartbeat comes, and the interval is an hour."""
    async with asking.host(interval=LONG):
        handle = await asking.ask.submit(1)
        await waits(handle)
        resume = "import sys; from opwright import Opwright; print(Opwright(sys.argv[1]).handle(sys.argv[2]).resume('yes').now())"
        command = [sys.executable, "-c", resume, asking.ops.client.url, str(handle.id)]
        done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
        assert await handle.result(5) == ["yes"]


async def test_resumed_before_it_waits_it_does_not_wait_at_all(asking: Asking) -> None:
    """Also before any host has begun it; one value for each question, in order."""
    handle = await asking.ask.submit(2)
    assert await handle.resume("first")
    assert await handle.resume("second")
    async with asking.host(interval=LONG):
        assert await handle.result(5) == ["first", "second"]
    assert len(asking.begun) == 1


async def test_no_answer_is_missed_at_whatever_moment_it_comes(asking: Asking) -> None:
    """Answers that come while the operations begin, wait, and are written: none of them waits for its interval."""
    async with asking.host(interval=LONG):
        handles = await asking.ask.submit_many([(2,)] * 100)
        for word in ("one", "two"):
            await asyncio.gather(*(handle.resume(word) for handle in handles))
        results = await asyncio.gather(*(handle.result(20) for handle in handles))
    assert results == [["one", "two"]] * 100


async def test_after_its_end_it_cannot_be_resumed(asking: Asking) -> None:
    async with asking.host(interval=LONG):
        handle = await asking.ask.submit(0)
        assert await handle.result(5) == []
        assert not await handle.resume("late")


@pytest.mark.timeout(120)
async def test_a_wait_outlives_its_host_and_holds_no_worker(trade: Trade, tables: Tables, tmp_path: Path) -> None:
    """While it waits its only worker does other things; its host is killed, and another one goes on with the answer."""
    with HostProcess(tables.url, tmp_path, "first", module=Trade.module, workers=1, wait_interval=LONG) as first:
        await first.ready()
        handle = await trade.confirm.submit("paint it")
        await waits(handle)
        assert await (await trade.part.submit(1)).result(10) == 1
        first.kill()
    assert await handle.resume("red")
    with HostProcess(tables.url, tmp_path, "second", module=Trade.module, workers=1):
        assert await handle.result(30) == "paint it red"
    assert await tables.attempts() == {(1, 1): 2}
