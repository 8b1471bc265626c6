"""Limits over two hosts whose workers are killed, limits of queues, and queues that are paused."""

import asyncio
import random
from pathlib import Path

import pytest

from opwright import InvalidOperation, Limit, OperationFailed, Opwright, Status, Trigger
from tests.kit.crew import Crew
from tests.kit.diary import Diary, Line
from tests.kit.tables import Tables
from tests.kit.trade import Trade
from tests.kit.waiting import eventually, stays

CUSTOMERS, BILLS = 5, 200
FOREVER = 3600.0  # seconds between two heartbeats: what happens at once does not happen by one


def overlaps(lines: list[Line]) -> list[Line]:
    """The begins while another attempt of the same customer was in work. Who is killed has ended, though it never says so."""
    working: dict[str, int] = {}
    killed: set[int] = set()
    found = []
    for line in lines:
        if line.event == "killed":
            killed.add(int(line.name))
        elif line.event == "end":
            working.pop(line.name, None)
        elif line.pid not in killed:  # between the word of its death and its death it may have begun another one
            if working.get(line.name) not in {None, *killed}:
                found.append(line)
            working[line.name] = line.pid
    return found


def killed(folder: Path) -> int:
    """How many have been; a kill of which there was nobody to die is none."""
    return sum(line.event == "killed" for line in Diary(folder).lines())


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_never_two_of_one_customer_at_once_through_kills(trade: Trade, tables: Tables, tmp_path: Path, seed: int) -> None:
    """200 operations of five customers on two hosts, of which workers and a whole host are killed: all end, one at a time."""
    chance = random.Random(seed)
    async with Crew(tables.url, tmp_path, workers=3) as crew, crew.rage(chance, pause=0.5, hosts=1):
        inputs = [(number % CUSTOMERS, number) for number in range(BILLS)]
        handles = await trade.bill.submit_many(inputs[: BILLS // 2])
        handles += [await trade.bill.submit(*one) for one in inputs[BILLS // 2 :]]
        assert await asyncio.gather(*(handle.result(150) for handle in handles)) == list(range(BILLS))
        while crew.kills <= 10 or killed(tmp_path) <= 10:  # the tenth is a host; on a quick machine all is done before
            handles = await trade.bill.submit_many(inputs[:CUSTOMERS])
            await asyncio.gather(*(handle.result(60) for handle in handles))
    assert overlaps(Diary(tmp_path).lines()) == []
    assert await tables.count("limited") == await tables.value("select count(*) from opwright.slots where until is null") == 0


def test_an_overlap_would_be_seen() -> None:
    """Two of one customer, the first of which neither ended nor was killed."""
    lines = [Line("begin", "1", 10, 0.0), Line("begin", "2", 11, 0.0), Line("begin", "1", 12, 0.0)]
    assert overlaps(lines) == [lines[2]]
    assert overlaps([lines[0], Line("killed", "10", 1, 0.0), lines[2]]) == []


@pytest.mark.timeout(120)
async def test_a_slot_falls_free_with_the_host_that_held_it(trade: Trade, tables: Tables, tmp_path: Path, seed: int) -> None:
    """The host is killed in the middle of an operation that may not run again: the next one of the customer begins."""
    async with Crew(tables.url, tmp_path, hosts=1, workers=1) as crew:
        doomed = await trade.hold_for.submit(1, "doomed")
        heir = await trade.hold_for.submit(1, "heir")
        await crew.diary.wait("start", "doomed", seconds=30)
        assert await heir.status() is Status.PENDING
        await crew.kill_host(random.Random(seed))
        await crew.diary.wait("start", "heir", seconds=60)
        with pytest.raises(OperationFailed, match="its host died"):
            await doomed.result(5)
        crew.diary.release("heir")
        assert await heir.result(10) == 1


async def test_a_limit_of_a_queue_holds_for_all_its_triggers(database_url: str) -> None:
    """Two triggers, one queue: one operation of both at a time."""
    ops = Opwright(database_url)
    ops.queue("narrow", limit=Limit(1))
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1

    triggers = [ops.operation(name=name, queue="narrow")(work) for name in ("pack", "send")]
    async with ops, ops.host(pool="inline", slots=20):
        handles = [await trigger.submit() for trigger in triggers * 5]
        for handle in handles:
            await handle.result(20)
    assert most == 1


async def test_a_limited_trigger_in_a_limited_queue_is_refused(database_url: str) -> None:
    """At the submit, with both names in the error."""
    ops = Opwright(database_url)
    ops.queue("narrow", limit=Limit(1))

    @ops.operation(limit=Limit(2), queue="narrow")
    def pack() -> None: ...

    with pytest.raises(InvalidOperation, match="limit: both the trigger 'pack' and the queue 'narrow' have one"):
        pack.submit()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_one_host_admits_for_the_queue_of_another_begins_at_once(database_url: str) -> None:
    """One lane over two queues, each served by one host: each end lets the other host begin the next, with no heartbeat."""
    order: list[int] = []

    def application() -> tuple[Opwright, Trigger[[int], None]]:
        ops = Opwright(database_url)
        return ops, ops.operation(name="note", limit=Limit(1))(note)

    async def note(number: int) -> None:
        order.append(number)

    (one, trigger), (two, _) = application(), application()
    async with one, two:
        handles = [await trigger.options(queue="ab"[number % 2]).submit(number) for number in range(20)]
        async with (
            one.host(pool="inline", queues=("a",), heartbeat=FOREVER),
            two.host(pool="inline", queues=("b",), heartbeat=FOREVER),
        ):
            for handle in handles:
                await handle.result(20)
    assert order == list(range(20))


async def test_a_paused_queue_begins_nothing_survives_a_restart_and_goes_on_at_once(database_url: str) -> None:
    """Without a heartbeat, by a word from another process; other queues do not notice."""
    ops, elsewhere = Opwright(database_url), Opwright(database_url)
    ran: list[str] = []

    @ops.operation
    async def work(name: str) -> None:
        ran.append(name)

    async with ops, elsewhere:
        async with ops.host(pool="inline", heartbeat=FOREVER):
            await elsewhere.queue("mail").pause()
            paused = await work.options(queue="mail").submit("paused")
            await (await work.submit("free")).result(10)
            assert ran == ["free"]
        async with ops.host(pool="inline", heartbeat=FOREVER):
            await (await work.submit("free too")).result(10)
            await stays(lambda: ran == ["free", "free too"], 0.3)
            assert await paused.status() is Status.PENDING
            assert (await ops.queue("mail").standing()).ready == 1
            await elsewhere.queue("mail").resume()
            await paused.result(5)
            assert (await ops.queue("mail").standing()).paused is None
    assert ran == ["free", "free too", "paused"]


async def test_what_runs_when_its_queue_is_paused_goes_on(database_url: str) -> None:
    """And nothing new begins behind it, though submitted before the pause."""
    ops = Opwright(database_url)
    begun, release = [], asyncio.Event()

    @ops.operation(queue="mail")
    async def work(number: int) -> int:
        begun.append(number)
        await release.wait()
        return number

    async with ops, ops.host(pool="inline", slots=1):
        first, second = await work.submit_many([(1,), (2,)])
        await eventually(lambda: begun == [1], 10, "the first has begun")
        await ops.queue("mail").pause()
        release.set()
        assert await first.result(10) == 1
        await stays(lambda: begun == [1], 0.3)
        await ops.queue("mail").resume()
        assert await second.result(10) == 2
