"""Two hosts and a worker process on one PostgreSQL: a command makes exactly what it concerns run again, on every host."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from opwright import Handle, LogEntry
from opwright.model.ids import new_id
from opwright.store.log import append
from tests.kit.diary import FOLDER, Diary
from tests.kit.market import PRICES, SHELF, VALUES, Market, SetPrice
from tests.kit.processes import HostProcess
from tests.kit.tables import Tables
from tests.kit.waiting import eventually
from tests.redis_server import running_redis
from tests.servers import OwnServer, own_postgres

HOSTS = ("one", "two")
SUM = 2 * PRICES  # of all values, at a price of 1: each price counts in its shelf, too
SOON, POLLED = 0.5, 5.0  # seconds from a commit until another host has invalidated: woken by a watcher, and without one


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A server that may be restarted."""
    with own_postgres() as server:
        yield server


@pytest.fixture
def database_url(server: OwnServer) -> Iterator[str]:
    server.start()
    with server.database() as url:
        yield url


@pytest.fixture
def watcher(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The setting for a kind of watcher."""
    if request.param == "redis":
        with running_redis() as redis:
            yield redis.url
    else:
        yield f"file:{tmp_path}/watch" if request.param == "file" else request.param


@pytest.fixture
async def market(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Market]:
    """The market, open, each price 1."""
    monkeypatch.setenv("OPWRIGHT_URL", database_url)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    await Tables(database_url).rows("create table prices (product integer primary key, price integer)")
    await Tables(database_url).rows(f"insert into prices select g, 1 from generate_series(0, {PRICES - 1}) g")
    market = Market(database_url)
    async with market.ops:
        yield market


@contextmanager
def hosts(url: str, folder: Path, watcher: str = "auto") -> Iterator[list[HostProcess]]:
    """Two that cache, each with a queue of its own, and one whose workers carry out commands."""
    common = {"module": Market.module, "heartbeat": 0.3, "log_watcher": watcher}
    with ExitStack() as stack:
        yield [
            *[
                stack.enter_context(HostProcess(url, folder, name, pool="inline", queues=(name,), **common))  # type: ignore[arg-type]
                for name in HOSTS
            ],
            stack.enter_context(HostProcess(url, folder, "work", workers=1, queues=("work",), **common)),  # type: ignore[arg-type]
        ]


async def command(market: Market, product: int, price: int) -> int:
    """Set a price in a worker process; the id of the command's operation."""
    handle = await market.set_price.options(queue="work").submit(SetPrice(product, price))
    return await handle.result(20)


async def write(market: Market, program: asyncpg.Connection, product: int, price: int) -> int:
    """What a command of another program would write, which tells nobody; its id."""
    engine = (await market.ops.client.store()).engine
    part = engine.statements["log"].parts[0]
    (step,) = append(LogEntry(new_id(), 77, 1, "set_price", f'{{"product":{product},"price":{price}}}'))
    await program.execute("update prices set price = $1 where product = $2", price, product)
    await program.fetch(part.sql, *part.arguments(engine.values(step.values)))
    return int(step.values["id"])


async def apart(market: Market, product: int, price: int) -> None:
    """The same, committed."""
    program = await asyncpg.connect(market.url)
    async with program.transaction():
        await write(market, program, product, price)
    await program.close()


async def read(market: Market, after: int = 0) -> list[tuple[int, dict[str, int]]]:
    """What each host reads, and which bodies ran for that."""
    handles = [await market.read.options(queue=name).submit(after) for name in HOSTS]
    return [await handle.result(30) for handle in handles]


async def watched(market: Market, product: int) -> list[Handle[float]]:
    """On each host somebody waits until a price is invalidated: the results are the moments of that."""
    handles = [await market.watch.options(queue=name).submit(product, f"{name}-{product}") for name in HOSTS]
    for name in HOSTS:
        await Diary.found().wait("watches", f"{name}-{product}")
    return handles


async def delays(market: Market, watching: list[Handle[float]]) -> list[float]:
    """Seconds from the latest command until each host has invalidated what it concerns, though nobody asked it to look."""
    logged = float(await Tables(market.url).value("select max(logged_at) / 1e6 from opwright.operation_log"))
    return [await handle.result(20) - logged for handle in watching]


def concerned(product: int) -> dict[str, int]:
    """The bodies that run again when a price changes."""
    return {f"price {product}": 1, f"shelf {product // SHELF}": 1}


async def check(market: Market, product: int) -> None:
    """A command makes exactly what it concerns run again, on both hosts."""
    (before, _), _ = await read(market)
    await read(market)
    answers = await read(market, await command(market, product, 1000 + product))
    assert [runs for _, runs in answers] == [concerned(product)] * 2
    assert {total for total, _ in answers} == {before + 2 * (999 + product)}
    assert [runs for _, runs in await read(market)] == [{}] * 2


async def test_exactly_the_values_concerned_run_again_on_both_hosts(market: Market, tmp_path: Path, database_url: str) -> None:
    """Of 500 on each; the command ran in a worker process, and then in this one."""
    with hosts(database_url, tmp_path):
        for total, runs in await read(market):
            assert (total, len(runs), set(runs.values())) == (SUM, VALUES, {1})
        await check(market, 7)
        operation = await market.ops.call(SetPrice(100, 5))
        assert [runs for _, runs in await read(market, operation)] == [concerned(100)] * 2


@pytest.mark.fault("F63")
@pytest.mark.parametrize("watcher", ["auto", "redis", "file", "none"], indirect=True)
async def test_other_hosts_follow_by_themselves(market: Market, tmp_path: Path, database_url: str, watcher: str) -> None:
    """Soon where a watcher wakes them, and where there is none within five seconds, with the database alone.

    The commands run in a worker process. Afterwards exactly the values concerned run again, on both.
    """
    rounds, most = (1, POLLED) if watcher == "none" else (SHELF, SOON)
    took = []
    with hosts(database_url, tmp_path, watcher):
        await read(market)
        for product in range(rounds):
            watching = await watched(market, product)
            await command(market, product, 2)
            took += await delays(market, watching)
        again = {f"price {product}": 1 for product in range(rounds)} | {"shelf 0": 1}
        assert [runs for _, runs in await read(market)] == [again] * 2
    assert max(took) < most, took
    kind = watcher.partition(":")[0]
    print(f"{kind}: median {statistics.median(took) * 1000:.1f} ms, longest {max(took) * 1000:.1f} ms")  # noqa: T201


@pytest.mark.fault("F60")
async def test_what_is_committed_later_with_an_earlier_position_is_not_missed(
    market: Market, tmp_path: Path, database_url: str
) -> None:
    """Another program holds its transaction open while a later command is committed and read; then it commits."""
    with hosts(database_url, tmp_path):
        await read(market)
        program = await asyncpg.connect(database_url)
        async with program.transaction():
            operation = await write(market, program, 9, 4)
            assert [runs for _, runs in await read(market, await command(market, 7, 3))] == [concerned(7)] * 2
        await program.close()
        assert [runs for _, runs in await read(market, operation)] == [concerned(9)] * 2
        assert [runs for _, runs in await read(market)] == [{}] * 2


async def test_a_worker_process_that_caches_follows_too(market: Market, tmp_path: Path, database_url: str) -> None:
    """It is an origin of its own: what its own commands wrote it does not invalidate twice, what others wrote it does."""
    with HostProcess(database_url, tmp_path, module=Market.module, workers=1, queues=("work",)):
        read = market.read.options(queue="work")
        total, runs = await (await read.submit(0)).result(30)
        assert (total, len(runs), set(runs.values())) == (SUM, VALUES, {1})
        assert (await (await read.submit(await market.ops.call(SetPrice(100, 5)))).result(30))[1] == concerned(100)
        assert (await (await read.submit(await command(market, 7, 3))).result(30))[1] == concerned(7)


async def test_a_host_that_caches_nothing_reads_nothing(market: Market, tmp_path: Path, database_url: str) -> None:
    """Its workers carry out a command and tell the others; it costs what a host without commands costs."""
    with HostProcess(database_url, tmp_path, module=Market.module, workers=1, queues=("work",)) as host:
        await command(market, 7, 3)
        await host.event("operation.completed")  # a moment after the end of the operation, which is its commit
        assert host.events("log.followed") == host.events("log.read") == []


async def check_alone(market: Market, product: int) -> None:
    """The same when nobody asks a host to look: its watcher wakes it."""
    await read(market)
    watching = await watched(market, product)
    await command(market, product, 1000 + product)
    assert max(await delays(market, watching)) < SOON
    assert [runs for _, runs in await read(market)] == [concerned(product)] * 2


def listening(host: HostProcess) -> int:
    """How often it has begun to listen to what tells of the log."""
    return len([one for one in host.events("watcher.connected") if "log watcher" in one.fields["watcher"]])


async def cut(watcher: str, url: str) -> None:
    """Kill what the hosts listen to, under all that is there."""
    kind, _, place = watcher.partition(":")
    if kind == "auto":
        speaking = "datname = current_database() and query ~ '^select pg_notify'"
        await Tables(url).rows(f"select pg_terminate_backend(pid) from pg_stat_activity where {speaking}")
    elif kind == "redis":
        client = redis.asyncio.Redis.from_url(watcher)
        await client.client_kill_filter(_type="pubsub")
        await client.aclose()
    else:
        shutil.rmtree(place)


@pytest.mark.fault("F63")
@pytest.mark.parametrize("watcher", ["auto", "redis", "file"], indirect=True)
async def test_a_listener_whose_connection_was_killed_is_woken_again(
    market: Market, tmp_path: Path, database_url: str, watcher: str
) -> None:
    """What nobody told it of meanwhile is read as soon as it listens again, and nothing is computed anew for that."""
    with hosts(database_url, tmp_path, watcher) as (one, two, _):
        await read(market)
        await eventually(lambda: listening(one) == listening(two) == 1)
        watching = await watched(market, 7)
        await apart(market, 7, 3)
        await cut(watcher, database_url)
        await eventually(lambda: listening(one) == listening(two) == 2)
        again = time.time()
        assert max([await handle.result(20) for handle in watching]) < again + SOON
        assert [runs for _, runs in await read(market)] == [concerned(7)] * 2
        await check_alone(market, 8)


async def knock(watcher: str) -> None:
    """Wake who listens, though nothing was committed; where the database would carry the message, they look of themselves."""
    kind, _, place = watcher.partition(":")
    if kind == "redis":
        client = redis.asyncio.Redis.from_url(watcher)
        await client.publish("opwright_log", "7")
        await client.aclose()
    elif kind == "file":
        await asyncio.to_thread(Path(place, "opwright-7").touch)


def in_vain(host: HostProcess) -> bool:
    """Whether it has tried to read the log, and could not."""
    return "DbOperationLogReader" in [one.fields["service"] for one in host.events("service.failed")]


@pytest.mark.fault("F28", "F63")
@pytest.mark.parametrize("watcher", ["auto", "redis", "file", "none"], indirect=True)
async def test_a_restart_of_the_database_loses_no_invalidation(
    market: Market, tmp_path: Path, database_url: str, server: OwnServer, watcher: str
) -> None:
    """What was cached stays, and a watcher wakes as before. A host has one line for its end, and one for its return."""
    with hosts(database_url, tmp_path, watcher) as (one, two, _):
        await read(market)
        await eventually(lambda: listening(one) == listening(two) == (watcher != "none"))
        watching = await watched(market, 7)
        await apart(market, 7, 3)
        server.stop("immediate")
        await knock(watcher)
        await eventually(lambda: in_vain(one) and in_vain(two))
        server.start()
        back = time.time()
        assert max([await handle.result(20) for handle in watching]) < back + POLLED
        assert [runs for _, runs in await read(market)] == [concerned(7)] * 2
        if watcher == "auto":
            await eventually(lambda: listening(one) == listening(two) == 2)
        if watcher != "none":
            await check_alone(market, 8)
        await eventually(lambda: all(len(host.events("outage.ended")) == 1 for host in (one, two)))
        for host in (one, two):
            lines = [line for line in host.log().splitlines() if " WARNING " in line or " ERROR " in line]
            assert len(lines) == len(host.events("outage.began")) == 1, lines
