"""The log watcher on Redis: one channel, refusals at the door, a connection that is proved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis.asyncio
import redis.asyncio.client

from opwright import ConfigurationError, ExtraMissing, Opwright, RedisDbLogWatcher
from opwright.watch import redis_log
from tests.kit.proxy import Proxy
from tests.redis_server import RedisServer, running_redis
from tests.watch.log_kit import Fleet, Process, RedisPlace, reached

CHANNEL = "opwright_log"


@pytest_asyncio.fixture
async def fleet(redis_server: RedisServer) -> AsyncIterator[Fleet]:
    """Processes at one server."""
    made = Fleet(RedisPlace(redis_server))
    yield made
    await made.close()


@pytest_asyncio.fixture
async def raw(redis_server: RedisServer) -> AsyncIterator[redis.asyncio.Redis]:
    """A client that knows nothing of watchers."""
    client = redis.asyncio.Redis.from_url(redis_server.url)
    yield client
    await client.aclose()


async def test_it_publishes_its_origin_on_one_channel(fleet: Fleet, raw: redis.asyncio.Redis) -> None:
    """Whoever subscribes there, in any language, hears which process has committed."""
    (first,) = await fleet.started(1)
    async with raw.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        assert (await subscription.get_message(timeout=5))["type"] == "subscribe"
        await first.commits()
        heard = await subscription.get_message(timeout=5)
    assert (heard["channel"], heard["data"]) == (CHANNEL.encode(), b"1000")


async def test_it_wakes_on_a_message_of_any_program(fleet: Fleet, raw: redis.asyncio.Redis) -> None:
    """One that bears no id, or the id of another, wakes; its own does not."""
    (first,) = await fleet.started(1)
    for message in ("1000", "", b"\xff"):
        assert await raw.publish(CHANNEL, message) == 1
    await reached(lambda: first.wakes == 3, "both that are not its own")
    assert first.wakes == 3


async def test_channels_are_apart(fleet: Fleet, redis_server: RedisServer) -> None:
    """Two applications may share a server."""
    first, second = await fleet.started(2)
    other = Process(RedisDbLogWatcher(lambda: 7, redis_server.url, "another"))
    await other.start()
    await second.hears(first)
    await other.commits()
    await other.watcher.stop()
    await first.hears(second)
    assert (first.wakes, second.wakes, other.wakes) == (2, 2, 1)


@asynccontextmanager
async def through_proxy(server: RedisServer) -> AsyncIterator[tuple[Process, Proxy]]:
    """A process that has started behind a proxy."""
    proxy = Proxy(server.url)
    process = Process(RedisDbLogWatcher(lambda: 7, await proxy.open()))
    try:
        await process.start()
        yield process, proxy
    finally:
        await process.watcher.stop()
        await proxy.close()


async def test_a_silent_connection_is_asked_and_a_half_open_one_noticed(
    redis_server: RedisServer, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is all it wants; without one it connects anew and wakes."""
    monkeypatch.setattr(redis_log, "PROBE_PERIOD", 0.05)
    (there,) = await fleet.started(1)
    async with through_proxy(redis_server) as (here, proxy):
        connections, answers = proxy.connections, list[object]()
        ear: Any = here.watcher._ear  # type: ignore[attr-defined]
        echo = ear._echo

        async def noted() -> object:
            answers.append(await echo())
            return answers[-1]

        monkeypatch.setattr(ear, "_echo", noted)
        await reached(lambda: len(answers) >= 2, "two answers")
        await here.hears(there)
        assert (here.wakes, proxy.connections) == (2, connections)
        monkeypatch.setattr(redis_log, "ANSWER_SECONDS", 0.5)
        proxy.freeze()
        await reached(lambda: here.wakes > 2, "the new connection")
        await here.hears(there)


async def test_a_message_nobody_answers_is_given_up_and_the_next_takes_another_connection(
    redis_server: RedisServer, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who sends does not wait for good on a connection that has died without a word, and tells of it."""
    (there,) = await fleet.started(1)
    async with through_proxy(redis_server) as (here, proxy):
        await there.hears(here)
        proxy.freeze()
        with monkeypatch.context() as soon:
            soon.setattr(redis_log, "ANSWER_SECONDS", 0.5)
            await here.commits()
            await reached(lambda: any("are not told of commits" in line for line in caplog.messages), "the line of who sends")
        assert caplog.messages[-1].endswith(": no answer for 0.5 s")
        await there.hears(here)


async def test_it_is_stopped_while_it_subscribes(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library swallows the cancellation, as it may with Python 3.11, and would listen for another quarter of a minute."""
    subscribed, subscribe = asyncio.Event(), redis.asyncio.client.PubSub.subscribe

    async def swallow(*given: Any) -> None:
        await subscribe(*given)
        subscribed.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(redis.asyncio.client.PubSub, "subscribe", swallow)
    first = await fleet.process()
    await first.watcher.start(first.wake)
    await subscribed.wait()
    async with asyncio.timeout(5):
        await first.watcher.stop()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://user:wr0ng@127.0.0.1:1/0", "Redis at 127.0.0.1:1 cannot be reached (Connection refused)"),
        ("redis://nobody.invalid", "Redis at nobody.invalid cannot be reached ("),
        ("unix:///nowhere/redis.sock", "Redis at /nowhere/redis.sock cannot be reached (No such file or directory)"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_told_by_its_place(
    url: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once by who listens, once by who sends; without the password, and with what to look at."""
    process = Process(RedisDbLogWatcher(lambda: 7, url))
    await process.watcher.start(process.wake)
    await reached(lambda: len(caplog.records) == 1, "the line of who listens")
    await process.commits()
    await reached(lambda: len(caplog.records) == 2, "the line of who sends")
    await process.watcher.stop()
    told = [record.getMessage() for record in caplog.records]
    assert told[0].startswith(f"redis log watcher: {said}")
    assert told[0].endswith("): does it run, and is its address right?; trying again")
    assert told[1].startswith(f"redis log watcher: other processes are not told of commits and find them by polling: {said}")


async def test_a_server_is_reached_by_its_socket(tmp_path: Path) -> None:
    """Where it listens on no port, or on both."""
    with running_redis("--unixsocket", f"{tmp_path}/redis.sock") as server:
        here, there = [Process(RedisDbLogWatcher(lambda: 7, url)) for url in (server.url, f"unix://{tmp_path}/redis.sock")]
        await asyncio.gather(here.start(), there.start())
        await asyncio.gather(here.watcher.stop(), there.watcher.stop())


async def test_a_wrong_password_is_refused_at_the_start() -> None:
    """With the place of the server, and without the password."""
    with running_redis("--requirepass", "right") as server:
        for url in (server.url, server.url.replace("//", "//:wr0ng@")):
            watcher = RedisDbLogWatcher(lambda: 7, url)
            with pytest.raises(ConfigurationError, match=f"127.0.0.1:{server.port} refuses its user") as refused:
                await watcher.start(lambda: None)
            assert "wr0ng" not in str(refused.value)
            await watcher.stop()
        right = Process(RedisDbLogWatcher(lambda: 7, server.url.replace("//", "//:right@")))
        await right.start()
        await right.watcher.stop()


async def test_a_database_that_is_not_there_is_refused_at_the_start(redis_server: RedisServer) -> None:
    """Redis has sixteen."""
    watcher = RedisDbLogWatcher(lambda: 7, redis_server.url.removesuffix("0") + "99")
    with pytest.raises(ConfigurationError, match="out of range"):
        await watcher.start(lambda: None)


def test_an_address_that_makes_no_sense_is_refused_at_the_door() -> None:
    """Before anything is connected; the name of the setting leads the message."""
    with pytest.raises(ConfigurationError, match=r"log_watcher: no address of a Redis server: Port .* 'sixthousand'"):
        Opwright("sqlite:///x.db", log_watcher="redis://host:sixthousand/0")
    with pytest.raises(ConfigurationError, match="no address of a Redis server"):
        RedisDbLogWatcher(lambda: 7, "amqp://host")


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the door too."""
    monkeypatch.setitem(__import__("sys").modules, "redis.asyncio", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'opwright\[redis\]'"):
        Opwright("sqlite:///x.db", log_watcher="redis://127.0.0.1")


async def test_a_server_is_all_it_asks_for(redis_server: RedisServer, sqlite_path: object) -> None:
    """Whatever the database."""
    ops = Opwright(f"sqlite:///{sqlite_path}", log_watcher=redis_server.url)
    async with ops:
        engine = (await ops.client.store()).engine
        here, there = Process(ops.commander.log_watcher(engine)), Process(RedisDbLogWatcher(lambda: 7, redis_server.url))
        await asyncio.gather(here.start(), there.start())
        await there.hears(here)
        await here.hears(there)
        await asyncio.gather(here.watcher.stop(), there.watcher.stop())
