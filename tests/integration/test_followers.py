"""Operations that follow others, over two hosts whose workers and hosts are killed."""

import asyncio
import random
from pathlib import Path

import pytest

from opwright import OperationCancelled, OperationFailed, Opwright
from opwright.scheduler import housekeeping
from tests.contract.kit import join
from tests.kit.crew import Crew
from tests.kit.tables import Tables
from tests.kit.trade import Trade
from tests.kit.waiting import eventually

PARTS = 300


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_followers_run_once_each_after_what_they_follow_through_kills(
    trade: Trade, tables: Tables, tmp_path: Path, seed: int
) -> None:
    """300 operations with a follower each, and one that follows them all."""
    chance = random.Random(seed)
    async with Crew(tables.url, tmp_path) as crew, crew.rage(chance, pause=0.5, hosts=2):
        part = trade.part.options(delay=1)  # whoever follows would begin first, if nothing held it
        parts = await part.submit_many([(number,) for number in range(PARTS)], then=trade.total.options(priority=10))
        followers = [await trade.next_to.options(after=[one], priority=10).submit(1000) for one in parts]
        assert parts.then is not None
        assert await parts.then.result(150) == sum(range(PARTS))
        assert await asyncio.gather(*(one.result(60) for one in followers)) == [1000 + number for number in range(PARTS)]
    assert await tables.count("outcomes") == await tables.count("operations") == 2 * PARTS + 1
    assert await tables.count("following") == 0
    early = """
        select p.operation from opwright.predecessors p
        join opwright.outcomes f on f.operation = p.operation join opwright.outcomes e on e.operation = p.predecessor
        where f.begun < e.ended
    """
    assert await tables.rows(early) == []


@pytest.mark.timeout(120)
async def test_a_failure_cancels_its_followers_on_every_host(trade: Trade, tables: Tables, tmp_path: Path) -> None:
    """What follows a part that cannot be made is CANCELLED and says why; ``even_if_failed`` goes on; others do not notice."""
    async with Crew(tables.url, tmp_path):
        batch = await trade.part.submit_many([(number,) for number in (1, -1, 2)], then=trade.total)
        assert batch.then is not None
        good, bad, _ = batch
        anyway = await trade.part.options(after=batch, even_if_failed=True).submit(7)
        beside = await trade.next_to.options(after=[good]).submit(10)
        line = [bad]
        for number in range(5):
            line.append(await trade.part.options(after=[line[-1]]).submit(number))
        for one in (batch.then, *line[1:]):
            with pytest.raises(OperationCancelled, match="an operation that it follows did not succeed"):
                await one.result(20)
        assert (await anyway.result(20), await beside.result(20)) == (7, 11)
        with pytest.raises(OperationFailed, match="part -1"):
            await bad.result(5)


async def test_nothing_can_follow_itself_in_a_circle(trade: Trade) -> None:
    """What is to be followed must have an id, and an id is only given at the submit: the follower comes later."""
    first = await trade.part.submit(1)
    second = await trade.part.options(after=[first]).submit(2)
    third = await trade.part.options(after=[second, first]).submit(3)
    assert first.id < second.id < third.id
    assert [one.id for one in await third.predecessors()] == [first.id, second.id]
    assert await first.predecessors() == []


async def test_a_follower_whose_predecessor_has_ended_unheard_goes_on(
    database_url: str, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host writes the end and dies before it tells: no heartbeat and no news let the follower go on, but housekeeping does."""
    monkeypatch.setattr(housekeeping, "PERIOD", 0.1)
    ops = Opwright(database_url)

    @ops.operation
    async def part(number: int) -> int:
        return number

    async def waited_for() -> bool:
        return await tables.column("select state from opwright.predecessors") == [1]

    async with ops, ops.host(pool="inline", queues=("default",), heartbeat=3600):
        first = await part.options(queue="elsewhere").submit(1)
        after = await part.options(after=[first]).submit(2)
        await eventually(waited_for, 10, "the host has looked at whom it follows")
        silent = await join(await ops.client.store())
        (claim,) = await silent.claim(queue="elsewhere", triggers=["part"])
        assert await silent.end(claim)
        assert await after.result(10) == 2
