"""Two hosts and a worker process on one PostgreSQL: a command makes exactly what it concerns run again, on every host."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from opwright import LogEntry
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


async def read(market: Market, after: int = 0) -> list[tuple[int, dict[str, int]]]:
    """What each host reads, and which bodies ran for that."""
    handles = [await market.read.options(queue=name).submit(after) for name in HOSTS]
    return [await handle.result(30) for handle in handles]


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
    diary, rounds, most = Diary(tmp_path), 1 if watcher == "none" else SHELF, 5.0 if watcher == "none" else 0.5
    delays = []
    with hosts(database_url, tmp_path, watcher):
        await read(market)
        for number in range(rounds):
            names = [f"{name}-{number}" for name in HOSTS]
            watching = [
                await market.watch.options(queue=host).submit(number, name) for host, name in zip(HOSTS, names, strict=True)
            ]
            for name in names:
                await diary.wait("watches", name)
            await command(market, number, 2)
            ended = await Tables(database_url).value("select max(logged_at) / 1e6 from opwright.operation_log")
            delays += [await handle.result(10) - float(ended) for handle in watching]
        again = {f"price {number}": 1 for number in range(rounds)} | {"shelf 0": 1}
        assert [runs for _, runs in await read(market)] == [again] * 2
    assert max(delays) < most, delays
    kind = watcher.partition(":")[0]
    print(f"{kind}: median {statistics.median(delays) * 1000:.1f} ms, longest {max(delays) * 1000:.1f} ms")  # noqa: T201


@pytest.mark.fault("F60")
async def test_what_is_committed_later_with_an_earlier_position_is_not_missed(
    market: Market, tmp_path: Path, database_url: str
) -> None:
    """Another program holds its transaction open while a later command is committed and read; then it commits."""
    engine = (await market.ops.client.store()).engine
    part = engine.statements["log"].parts[0]
    inputs = '{"product":9,"price":4}'
    (step,) = append(LogEntry(new_id(), 77, 1, "set_price", inputs))
    with hosts(database_url, tmp_path):
        await read(market)
        program = await asyncpg.connect(database_url)
        async with program.transaction():
            await program.execute("update prices set price = 4 where product = 9")
            await program.fetch(part.sql, *part.arguments(engine.values(step.values)))
            assert [runs for _, runs in await read(market, await command(market, 7, 3))] == [concerned(7)] * 2
        await program.close()
        assert [runs for _, runs in await read(market, step.values["id"])] == [concerned(9)] * 2
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
    """What was sent meanwhile is read as soon as it listens again, and nothing is computed anew for that."""
    with hosts(database_url, tmp_path, watcher) as (one, two, _):
        await read(market)
        await eventually(lambda: listening(one) == listening(two) == 1)
        await cut(watcher, database_url)
        operation = await command(market, 7, 3)
        await eventually(lambda: listening(one) == listening(two) == 2)
        assert [runs for _, runs in await read(market, operation)] == [concerned(7)] * 2
        await check(market, 8)


@pytest.mark.fault("F28", "F63")
async def test_a_restart_of_the_database_loses_no_invalidation(
    market: Market, tmp_path: Path, database_url: str, server: OwnServer
) -> None:
    """It is one line for each host when it goes and one when it is back; what was cached stays."""
    with hosts(database_url, tmp_path) as processes:
        await read(market)
        server.restart("immediate")
        operation = await command(market, 7, 3)
        assert [runs for _, runs in await read(market, operation)] == [concerned(7)] * 2
        await check(market, 8)
        caching = processes[:2]
        await eventually(lambda: all(len(one.events("outage.ended")) == len(one.events("outage.began")) for one in caching), 20)
        for host in caching:
            assert [line for line in host.log().splitlines() if " ERROR " in line] == []
            assert len([line for line in host.log().splitlines() if " WARNING " in line]) == len(host.events("outage.began"))
            assert len(host.events("outage.began")) == 1
