"""Submitting: what lands, what is refused and why, and whose transaction it joins."""

import asyncio
import contextlib
import math
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from opwright import Backoff, InvalidOperation, KeyTaken, Opwright, Status, StoreError, UnknownTrigger
from opwright.errors import DuplicateRow
from opwright.operations import draft as draft_module
from opwright.operations.portal import portal
from tests.contract.kit import query
from tests.operations.kit import eventually, rows
from tests.servers import PostgresServer

TOMORROW = datetime.now(UTC) + timedelta(days=1)
NAN, INF = math.nan, math.inf


async def double(number: int) -> int:
    return 2 * number


def close_portal_store(ops: Opwright) -> None:
    """Close what ``.now()`` opened in the thread of the portal."""
    portal().run(ops.client.close())


# ------------------------------------------------------------------------------------------------- options

NAMES: list[Any] = ["", " a", "a ", "a\x00b", "a\nb", "\ud800", "x" * 201, 5, b"a"]
BAD_REQUESTS: list[tuple[str, Any]] = [
    ("start_at", datetime(2030, 1, 1)),  # noqa: DTZ001 - naive on purpose
    ("start_at", datetime(9999, 6, 1, tzinfo=UTC)),
    ("start_at", datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))),
    ("start_at", datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))),
    ("start_at", datetime(1969, 12, 31, tzinfo=UTC)),
    ("start_at", date(2030, 1, 1)),
    ("start_at", "2030-01-01"),
    ("delay", -0.001),
    ("delay", 1e11),
    ("delay", 10**400),
    ("delay", NAN),
    ("delay", INF),
    ("delay", True),
    ("delay", "5"),
    ("priority", 101),
    ("priority", -101),
    ("priority", True),
    ("priority", 1.0),
    ("priority", "1"),
    *[("queue", name) for name in NAMES],
    *[("key", name) for name in NAMES],
    ("on_conflict", "ignore"),
    ("retries", -1),
    ("retries", 10_001),
    ("retries", True),
    ("retries", 1.5),
    ("retries", "1"),
    ("recoveries", -1),
    ("recoveries", 10**30),
    ("recoveries", False),
    ("timeout", 0),
    ("timeout", -1.0),
    ("timeout", NAN),
    ("timeout", INF),
    ("timeout", True),
    ("timeout", "5"),
    ("backoff", -1),
    ("backoff", NAN),
    ("backoff", INF),
    ("backoff", True),
    ("backoff", "5"),
    ("backoff", {"first": 1}),
]
BUDGETS = ("retries", "recoveries", "timeout", "backoff", "queue", "priority")


@pytest.mark.parametrize(("option", "value"), BAD_REQUESTS, ids=lambda one: one if isinstance(one, str) else repr(one)[:30])
def test_a_bad_option_is_refused_by_its_name(option: str, value: Any) -> None:
    """InvalidOperation, at once: ``field`` is the option, and the text names it."""
    trigger = Opwright("sqlite:///never.db").operation(double)
    with pytest.raises(InvalidOperation, match=f"^{option}:") as refusal:
        trigger.options(**{option: value})
    assert refusal.value.field == option


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option, value in BAD_REQUESTS if option in BUDGETS],
    ids=lambda one: one if isinstance(one, str) else repr(one)[:30],
)
def test_a_bad_default_is_refused_where_the_trigger_is_declared(option: str, value: Any) -> None:
    """The decorator checks like a submit does, and registers nothing."""
    ops = Opwright("sqlite:///never.db")
    with pytest.raises(InvalidOperation, match=f"^{option}:"):
        ops.operation(**{option: value})(double)
    assert ops.registry.names() == []


@pytest.mark.parametrize(
    "parts",
    [{"first": -1}, {"first": NAN}, {"first": INF}, {"first": "1"}, {"first": True}, {"longest": -1}, {"longest": NAN},
     {"longest": INF}, {"factor": 0.5}, {"factor": NAN}, {"factor": INF}, {"jitter": -0.1}, {"jitter": 1.1}, {"jitter": NAN}],
    ids=repr,
)  # fmt: skip
def test_a_bad_backoff_is_refused_by_its_name(parts: dict[str, Any]) -> None:
    """Only pauses that are seconds, and that JSON can hold: whoever claims the row must be able to read it."""
    with pytest.raises(InvalidOperation, match=r"^backoff:"):
        Opwright("sqlite:///never.db").operation(double).options(backoff=Backoff(**parts))


def test_two_times_are_one_too_many() -> None:
    """``start_at`` and ``delay`` in one call contradict each other; a later call replaces an earlier one."""
    trigger = Opwright("sqlite:///never.db").operation(double)
    with pytest.raises(InvalidOperation, match="start_at and delay") as refusal:
        trigger.options(start_at=TOMORROW, delay=1)
    assert refusal.value.field == "delay"
    assert trigger.options(start_at=TOMORROW).options(delay=1).request.due is None
    assert trigger.options(delay=1).options(start_at=TOMORROW).request.wait is None


async def test_what_is_refused_stores_nothing(ops: Opwright) -> None:
    """A refused option leaves no row, and the same trigger submits as before afterwards."""
    trigger = ops.operation(double)
    accepted = []
    for option, value in BAD_REQUESTS:
        try:
            await trigger.options(**{option: value}).submit(1)
        except Exception:  # noqa: BLE001 - the tests above say which error it must be
            continue
        accepted.append((option, value))
    assert accepted == []
    assert await rows(ops) == {}
    await trigger.submit(1)
    assert await rows(ops) == {"operations": 1, "ready": 1}


STRANGE: list[dict[str, Any]] = [
    {"backoff": INF},
    {"backoff": {"longest": INF}},
    {"backoff": True},
    {"backoff": "soon"},
    {"backoff": 1e15},
    {"backoff": 1e300},
    {"backoff": {"factor": 1e300}},
    {"timeout": True},
    {"timeout": 1e308},
    {"timeout": 10**300},
    {"timeout": 1e-9},
    {"queue": "'; drop table operations --"},
    {"queue": "\u2028\U0001f600"},
    {"key": "x" * 200},
    {"priority": 100, "retries": 10_000, "recoveries": 10_000},
]


@pytest.mark.fault("F41")
@pytest.mark.parametrize("options", STRANGE, ids=lambda options: repr(options)[:40])
async def test_whatever_a_submit_accepts_no_queue_is_stopped_by_it(ops: Opwright, options: dict[str, Any]) -> None:
    """A strange option is refused at the door, or it is carried out; either way its neighbours run, before and after."""

    @ops.operation(retries=1)
    async def bad(number: int) -> int:
        raise ValueError(number)

    good = ops.operation(double)
    with contextlib.suppress(InvalidOperation, TypeError):
        if isinstance(parts := options.get("backoff"), dict):
            options = {"backoff": Backoff(**parts)}
        await bad.options(**options).submit(1)
    async with ops.host(pool="inline", heartbeat=0.1):
        first = await good.submit(1)
        assert await first.result(timeout=20) == 2
        assert await (await good.submit(2)).result(timeout=20) == 4


async def test_options_reach_the_row(ops: Opwright) -> None:
    """What was asked is what people read."""
    trigger = ops.operation(double)
    handle = await trigger.options(queue="slow", priority=-7, key="k", start_at=TOMORROW).submit(1)
    found = await handle.get()
    assert (found.queue, found.priority, found.key, found.status) == ("slow", -7, "k", Status.PENDING)
    assert found.due is not None
    assert abs(found.due - TOMORROW) < timedelta(milliseconds=1)
    assert await rows(ops) == {"operations": 1, "delayed": 1, "operation_keys": 1}


async def test_an_hour_of_any_zone_is_the_right_instant(ops: Opwright) -> None:
    """``start_at`` is an instant: the zone in which it is written makes no difference."""
    trigger = ops.operation(double)
    there = TOMORROW.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    here, also = [await (await trigger.options(start_at=moment).submit(1)).get() for moment in (TOMORROW, there)]
    assert here.due == also.due


async def test_a_time_that_has_passed_is_now(ops: Opwright) -> None:
    """A ``start_at`` in the past and a ``delay`` of nothing make an operation ready at once."""
    trigger = ops.operation(double)
    await trigger.options(start_at=TOMORROW - timedelta(days=400)).submit(1)
    await trigger.options(delay=0).submit(1)
    assert await rows(ops) == {"operations": 2, "ready": 2}


async def test_options_change_no_other_submit(ops: Opwright) -> None:
    """``options`` gives a trigger of its own; the one it was called on stays as it was."""
    trigger = ops.operation(double)
    trigger.options(queue="other", priority=5, retries=3)
    found = await (await trigger.submit(1)).get()
    assert (found.queue, found.priority) == ("default", 0)
    assert trigger.budget.retries == 0


# ------------------------------------------------------------------------------------------ names and many


async def test_submit_by_name(ops: Opwright) -> None:
    """The name of a trigger does as well as the function, with inputs by name."""
    ops.operation(double)
    handle = await ops.submit("double", number=3)
    assert (await handle.get()).inputs.replace(" ", "") == '{"number":3}'


async def test_an_unknown_trigger_is_refused_with_the_names_that_there_are(ops: Opwright) -> None:
    """Nothing is stored that nobody could run."""
    ops.operation(double)
    ops.operation(name="halve")(double)
    with pytest.raises(UnknownTrigger, match=r"'dobule'.*double, halve") as refusal:
        ops.submit("dobule", number=3)
    assert refusal.value.field == "trigger"
    assert await rows(ops) == {}


async def test_fifty_thousand_at_once(ops: Opwright) -> None:
    """``submit_many`` takes tuples and mappings, and gives the handles in the order of the inputs."""
    trigger = ops.operation(double)
    handles = await trigger.submit_many([(number,) if number % 2 else {"number": number} for number in range(50_000)])
    assert await rows(ops) == {"operations": 50_000, "ready": 50_000}
    assert len({handle.id for handle in handles}) == 50_000
    for number in (0, 1, 24_999, 49_999):
        assert (await handles[number].get()).inputs.replace(" ", "") == f'{{"number":{number}}}'


async def test_a_bad_one_among_many_stores_none(ops: Opwright) -> None:
    """The refusal comes before anything is written."""
    trigger = ops.operation(double)
    inputs: list[Any] = [(number,) for number in range(49_999)]
    with pytest.raises(InvalidOperation, match=r"item 49999: .*Expected `int`"):
        trigger.submit_many([*inputs, ("text",)])
    assert await rows(ops) == {}


async def test_many_are_one_transaction(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the database refuses the last row, none of the others has landed."""
    trigger = ops.operation(double)
    taken = (await trigger.submit(0)).id
    monkeypatch.setattr(draft_module, "new_ids", lambda count: range(taken - count + 1, taken + 1))
    with pytest.raises(DuplicateRow):
        await trigger.submit_many([(number,) for number in range(1000)])
    assert await rows(ops) == {"operations": 1, "ready": 1}


@pytest.mark.parametrize("inputs", [[], ()])
async def test_none_of_many_is_nothing(ops: Opwright, inputs: Any) -> None:
    """An empty list is no error and no row."""
    assert await ops.operation(double).submit_many(inputs) == []
    assert await rows(ops) == {}


async def test_one_key_cannot_name_many(ops: Opwright) -> None:
    """A key names one operation."""
    with pytest.raises(InvalidOperation, match=r"^key:"):
        ops.operation(double).options(key="k").submit_many([(1,), (2,)])
    assert await rows(ops) == {}


async def test_concurrent_submits_all_land(ops: Opwright) -> None:
    """Hundreds at a time from one loop: each its own operation, none lost."""
    trigger = ops.operation(double)
    handles = await asyncio.gather(*(trigger.submit(number) for number in range(300)))
    assert len({handle.id for handle in handles}) == 300
    assert await rows(ops) == {"operations": 300, "ready": 300}


async def test_the_first_of_concurrent_submits_opens_the_database_once(database_url: str) -> None:
    """Nobody has opened the application: the first submits share one opening."""
    ops = Opwright(database_url)
    trigger = ops.operation(double)
    handles = await asyncio.gather(*(trigger.submit(number) for number in range(20)))
    assert await rows(ops) == {"operations": 20, "ready": 20}
    assert len(handles) == 20
    await ops.client.close()


async def test_a_submit_after_a_restart_of_the_server_lands(postgres_server: PostgresServer, postgres_database: str) -> None:
    """The connections of before are known to be closed: a new one is made, and the application notices nothing."""
    ops = Opwright(postgres_database)
    trigger = ops.operation(double)
    async with ops:
        await trigger.submit(1)
        await asyncio.to_thread(postgres_server.restart, "immediate")
        await trigger.submit(2)
        assert await rows(ops) == {"operations": 2, "ready": 2}


# ---------------------------------------------------------------------------------------------------- calls


@pytest.fixture
def closed_ops(database_url: str) -> Iterator[Opwright]:
    """An application that no loop has opened; what ``.now()`` opens is closed at the end."""
    ops = Opwright(database_url)
    yield ops
    close_portal_store(ops)


def test_now_submits_from_synchronous_code(closed_ops: Opwright) -> None:
    """Without any event loop: the operation is there when ``.now()`` returns."""
    handle = closed_ops.operation(double).submit(1).now()
    assert handle.status().now() is Status.PENDING
    assert handle.get().now().id == handle.id
    assert handle.cancel().now()
    assert handle.status().now() is Status.CANCELLED


def test_now_works_in_many_threads_at_once(closed_ops: Opwright) -> None:
    """Plain threads share one loop behind the scenes."""
    trigger = closed_ops.operation(double)
    found: list[Any] = []

    def work(number: int) -> None:
        found.append(trigger.submit(number).now())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({handle.id for handle in found}) == 16
    assert all(handle.status().now() is Status.PENDING for handle in found)


async def test_now_in_a_thread_waits_for_a_host_elsewhere(ops: Opwright) -> None:
    """Synchronous code submits and waits for the result while a host runs in the event loop of another thread."""
    trigger = ops.operation(double)
    async with ops.host(pool="inline"):
        assert await asyncio.to_thread(lambda: trigger.submit(21).now().result(timeout=10).now()) == 42
    await asyncio.to_thread(close_portal_store, ops)


async def test_now_in_a_running_loop_blocks_it_and_works(ops: Opwright) -> None:
    """A plain function that somebody calls from a coroutine may use ``.now()`` all the same."""
    handle = ops.operation(double).submit(1).now()
    assert await handle.status() is Status.PENDING
    close_portal_store(ops)


@pytest.mark.parametrize("made", ["submit", "submit_many", "status"])
async def test_a_forgotten_call_warns(ops: Opwright, made: str) -> None:
    """Neither awaited nor ``.now()``: nothing happened, and Python says where."""
    trigger = ops.operation(double)
    handle = await trigger.submit(1)
    calls: dict[str, Callable[[], object]] = {
        "submit": lambda: trigger.submit(1),
        "submit_many": lambda: trigger.submit_many([(1,)]),
        "status": handle.status,
    }
    with pytest.warns(RuntimeWarning, match=rf"{made}\(\) was never made.*await"):
        calls[made]()  # reference counting drops it at once
    assert await rows(ops) == {"operations": 1, "ready": 1}


def test_two_event_loops_one_after_the_other(database_url: str) -> None:
    """The same application object in two ``asyncio.run``: each loop has its own connections."""
    ops = Opwright(database_url)
    trigger = ops.operation(double)

    async def main(number: int) -> int:
        async with ops, ops.host(pool="inline"):
            return await (await trigger.submit(number)).result(timeout=10)

    assert [asyncio.run(main(number)) for number in (1, 2)] == [2, 4]
    assert ops.client._stores == {}


def test_a_loop_that_ended_without_closing_leaves_the_next_one_free(sqlite_path: Path) -> None:
    """``asyncio.run(main())`` twice, where main only submits and closes nothing."""
    ops = Opwright(f"sqlite:///{sqlite_path}")
    trigger = ops.operation(double)

    async def main() -> None:
        await trigger.submit(1)

    async def look() -> dict[str, int]:
        async with ops:
            return await rows(ops)

    asyncio.run(main())
    asyncio.run(main())
    assert asyncio.run(look()) == {"operations": 2, "ready": 2}
    assert ops.client._stores == {}


# ----------------------------------------------------------------------------------------------------- keys


async def test_a_key_that_is_held_refuses_the_second(ops: Opwright) -> None:
    """``fail``, the default: KeyTaken names the winner, and nothing of the loser is stored."""
    trigger = ops.operation(double).options(key="one")
    winner = await trigger.submit(1)
    with pytest.raises(KeyTaken, match=str(winner.id)) as refusal:
        await trigger.submit(2)
    assert (refusal.value.winner, refusal.value.field) == (winner.id, "key")
    assert await rows(ops) == {"operations": 1, "ready": 1, "operation_keys": 1}


async def test_a_key_that_is_held_hands_out_its_holder(ops: Opwright) -> None:
    """``skip``: the second submit gets the first one's handle."""
    trigger = ops.operation(double).options(key="one", on_conflict="skip")
    winner = await trigger.submit(1)
    assert await trigger.submit(2) == winner
    assert await rows(ops) == {"operations": 1, "ready": 1, "operation_keys": 1}


async def test_a_key_that_is_held_is_taken_from_what_nobody_has_begun(ops: Opwright) -> None:
    """``replace``: the old one is CANCELLED, says by whom, and the new one has the key."""
    trigger = ops.operation(double).options(key="one", on_conflict="replace")
    old = await trigger.options(delay=1000).submit(1)
    new = await trigger.submit(2)
    found = await old.get()
    assert found.status is Status.CANCELLED
    assert f"replaced by operation {new.id}" in (found.error or "")
    assert await rows(ops) == {"operations": 2, "ready": 1, "outcomes": 1, "operation_keys": 1}


@pytest.mark.parametrize("on_conflict", ["fail", "replace"])
async def test_a_key_of_what_has_begun_stays_with_it(ops: Opwright, on_conflict: str) -> None:
    """What runs cannot be replaced; once it has ended the key is free."""
    begun, go = asyncio.Event(), asyncio.Event()

    @ops.operation
    async def work() -> None:
        begun.set()
        await go.wait()

    trigger = work.options(key="one", on_conflict=on_conflict)
    async with ops.host(pool="inline"):
        first = await trigger.submit()
        await asyncio.wait_for(begun.wait(), 10)
        with pytest.raises(KeyTaken) as refusal:
            await trigger.submit()
        assert refusal.value.winner == first.id
        go.set()
        await first.result(timeout=10)
        assert await trigger.submit() != first


async def test_a_key_belongs_to_its_trigger(ops: Opwright) -> None:
    """Two triggers may use the same key."""
    one, other = ops.operation(double), ops.operation(name="other")(double)
    await one.options(key="k").submit(1)
    await other.options(key="k").submit(1)
    assert (await rows(ops))["operation_keys"] == 2


async def test_of_many_that_want_a_key_one_wins(ops: Opwright) -> None:
    """Twenty at once: one operation, and all losers are told of the same winner."""
    trigger = ops.operation(double).options(key="one")
    answers = await asyncio.gather(*(trigger.submit(number) for number in range(20)), return_exceptions=True)
    losers = [answer for answer in answers if isinstance(answer, KeyTaken)]
    (winner,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(losers) == 19
    assert {loser.winner for loser in losers} == {winner.id}
    assert (await rows(ops))["operations"] == 1


# -------------------------------------------------------------------------------- the caller's transaction


class Caller(ABC):
    """An application's own connection, in a transaction of the application."""

    on: Any

    @abstractmethod
    async def run(self, sql: str) -> None: ...

    @abstractmethod
    async def commit(self) -> None: ...

    @abstractmethod
    async def rollback(self) -> None: ...


class OfSqlite(Caller):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.on = connection

    async def run(self, sql: str) -> None:
        self.on.execute(sql)

    async def commit(self) -> None:
        self.on.execute("commit") if self.on.isolation_level is None else self.on.commit()

    async def rollback(self) -> None:
        self.on.execute("rollback") if self.on.isolation_level is None else self.on.rollback()


class OfAsyncpg(Caller):
    def __init__(self, connection: Any, transaction: Any) -> None:
        self.on = connection
        self._transaction = transaction

    async def run(self, sql: str) -> None:
        await self.on.execute(sql)

    async def commit(self) -> None:
        await self._transaction.commit()

    async def rollback(self) -> None:
        await self._transaction.rollback()


class OfSqlAlchemy(Caller):
    def __init__(self, on: Any) -> None:
        self.on = on

    async def run(self, sql: str) -> None:
        await self.on.execute(text(sql))

    async def commit(self) -> None:
        await self.on.commit()

    async def rollback(self) -> None:
        await self.on.rollback()


def _mapping(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


SQLITE_KINDS = ["sqlite3", "sqlite3 autocommit", "sqlite3 exclusive", "sqlite3 dict rows", "sqlite3 bytes"]
POSTGRES_KINDS = ["asyncpg", "asyncpg pool", "AsyncSession", "AsyncConnection"]
# Where the first statement of the application, not the connection, opens the transaction.
LAZY = ["sqlite3", "sqlite3 exclusive", "sqlite3 dict rows", "sqlite3 bytes"]


def sqlite_connection(kind: str, path: Path) -> sqlite3.Connection:
    level: dict[str, Any] = {"sqlite3 autocommit": None, "sqlite3 exclusive": "EXCLUSIVE"}
    connection = sqlite3.connect(path, isolation_level=level.get(kind, ""))
    if kind == "sqlite3 dict rows":
        connection.row_factory = _mapping
    if kind == "sqlite3 bytes":
        connection.text_factory = bytes
    return connection


@pytest.fixture(params=[*SQLITE_KINDS, *POSTGRES_KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    """Which library the application uses."""
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    """An empty database for that library."""
    if kind in SQLITE_KINDS:
        return f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    return str(request.getfixturevalue("postgres_database"))


@pytest_asyncio.fixture
async def shop(url: str) -> AsyncIterator[Opwright]:
    """An application with a table of its own, next to the tables of its operations."""
    ops = Opwright(url)
    async with ops:
        await query(await ops.client.store(), "create table mine (number integer)")
        yield ops


@pytest_asyncio.fixture
async def caller(kind: str, url: str, shop: Opwright) -> AsyncIterator[Caller]:
    """The application's connection; its transaction has begun, as far as the library begins one."""
    async with contextlib.AsyncExitStack() as stack:
        if kind in SQLITE_KINDS:
            connection = stack.enter_context(closing(sqlite_connection(kind, Path(url.removeprefix("sqlite:///")))))
            if kind == "sqlite3 autocommit":
                connection.execute("begin")
            yield OfSqlite(connection)
        elif kind.startswith("asyncpg"):
            raw: Any
            if kind == "asyncpg":
                raw = await asyncpg.connect(url)
                stack.push_async_callback(raw.close)
            else:
                pool = await stack.enter_async_context(asyncpg.create_pool(url, min_size=1, max_size=1))
                raw = await stack.enter_async_context(pool.acquire())
            transaction = raw.transaction()
            await transaction.start()
            yield OfAsyncpg(raw, transaction)
        else:
            engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
            stack.push_async_callback(engine.dispose)
            on = AsyncSession(engine) if kind == "AsyncSession" else engine.connect()
            yield OfSqlAlchemy(await stack.enter_async_context(on))


async def mine(ops: Opwright) -> int:
    ((count,),) = await query(await ops.client.store(), "select count(*) from mine")
    return int(count)


async def test_a_rollback_takes_the_operation_with_it(shop: Opwright, caller: Caller) -> None:
    """The operation belongs to the caller's transaction, which had begun with data of the caller's."""
    trigger = shop.operation(double)
    await caller.run("insert into mine values (1)")
    await trigger.options(on=caller.on).submit(1)
    await trigger.options(on=caller.on, key="k").submit(2)
    await trigger.options(on=caller.on).submit_many([(3,), (4,)])
    await caller.rollback()
    assert await rows(shop) == {}
    assert await mine(shop) == 0


async def test_a_rollback_takes_the_operation_with_it_also_when_it_came_first(shop: Opwright, caller: Caller) -> None:
    """Submit, then write the data, then fail: in a connection that opens transactions by itself nothing may be left either."""
    await shop.operation(double).options(on=caller.on).submit(1)
    await caller.run("insert into mine values (1)")
    await caller.rollback()
    assert await mine(shop) == 0
    assert await rows(shop) == {}


async def test_nothing_is_seen_before_the_commit_and_all_after_it(shop: Opwright, caller: Caller) -> None:
    """Opwright never commits what is the caller's."""
    trigger = shop.operation(double)
    await caller.run("insert into mine values (1)")
    handle = await trigger.options(on=caller.on).submit(1)
    many = await trigger.options(on=caller.on).submit_many([(number,) for number in range(5)])
    keyed = await trigger.options(on=caller.on, key="k", delay=60).submit(2)
    assert await rows(shop) == {}
    await caller.commit()
    assert await rows(shop) == {"operations": 7, "ready": 6, "delayed": 1, "operation_keys": 1}
    assert await mine(shop) == 1
    async with shop.host(pool="inline"):
        assert await handle.result(timeout=10) == 2
        assert [await each.result(timeout=10) for each in many] == [0, 2, 4, 6, 8]
    assert await keyed.status() is Status.PENDING


@pytest.mark.fault("F71")
async def test_a_key_that_is_taken_leaves_the_callers_transaction_usable(shop: Opwright, caller: Caller) -> None:
    """KeyTaken is the application's to handle: it goes on in the same transaction, and all its work lands."""
    trigger = shop.operation(double)
    winner = await trigger.options(key="k").submit(1)
    await caller.run("insert into mine values (1)")
    with pytest.raises(KeyTaken) as refusal:
        await trigger.options(on=caller.on, key="k").submit(2)
    assert refusal.value.winner == winner.id
    await caller.run("insert into mine values (2)")
    await trigger.options(on=caller.on, key="other").submit(3)
    await caller.commit()
    assert await mine(shop) == 2
    assert await rows(shop) == {"operations": 2, "ready": 2, "operation_keys": 2}


async def test_keys_skip_and_replace_in_the_callers_transaction(shop: Opwright, caller: Caller) -> None:
    """The rules of keys are the same on every connection, and they see what the transaction itself has submitted."""
    trigger = shop.operation(double)
    old = await trigger.options(key="k").submit(1)
    await caller.run("insert into mine values (1)")
    assert await trigger.options(on=caller.on, key="k", on_conflict="skip").submit(2) == old
    new = await trigger.options(on=caller.on, key="k", on_conflict="replace").submit(3)
    newest = await trigger.options(on=caller.on, key="k", on_conflict="replace").submit(4)
    assert await old.status() is Status.PENDING
    await caller.commit()
    assert [await each.status() for each in (old, new, newest)] == [Status.CANCELLED, Status.CANCELLED, Status.PENDING]


async def test_what_is_refused_leaves_the_callers_transaction_alone(shop: Opwright, caller: Caller) -> None:
    """Bad inputs are found before the connection is touched."""
    await caller.run("insert into mine values (1)")
    with pytest.raises(InvalidOperation):
        shop.operation(double).options(on=caller.on).submit("text")  # type: ignore[arg-type]
    await caller.commit()
    assert await mine(shop) == 1
    assert await rows(shop) == {}


async def test_missing_tables_are_told_with_what_to_do(kind: str, url: str, request: pytest.FixtureRequest) -> None:
    """Nobody has migrated this database: the error says so, whatever the library calls it."""
    ops = Opwright(url)
    trigger = ops.operation(double)
    if kind in SQLITE_KINDS:
        with closing(sqlite_connection(kind, Path(url.removeprefix("sqlite:///")))) as connection:
            with pytest.raises(StoreError, match="opwright migrate"):
                await trigger.options(on=connection).submit(1)
            connection.execute("create table mine (number integer)")
        return
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with contextlib.AsyncExitStack() as stack:
        on: Any
        stack.push_async_callback(engine.dispose)
        if kind.startswith("asyncpg"):
            on = await asyncpg.connect(url)
            stack.push_async_callback(on.close)
        else:
            on = await stack.enter_async_context(AsyncSession(engine) if kind == "AsyncSession" else engine.connect())
        with pytest.raises(StoreError, match="opwright migrate"):
            await trigger.options(on=on).submit(1)


# -- sqlite3 alone


@pytest.fixture
def opened(sqlite_path: Path) -> Iterator[Opwright]:
    """A SQLite application whose tables are there, for synchronous tests."""
    ops = Opwright(f"sqlite:///{sqlite_path}")

    async def migrate() -> None:
        async with ops:
            pass

    asyncio.run(migrate())
    yield ops
    close_portal_store(ops)


def count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("select count(*) from opwright_operations").fetchone()[0])


def test_now_on_a_sqlite_connection_stays_in_the_calling_thread(opened: Opwright, sqlite_path: Path) -> None:
    """Synchronous code joins its transaction without any event loop: SQLite connections must not leave their thread."""
    trigger = opened.operation(double)
    with closing(sqlite3.connect(sqlite_path)) as connection:
        connection.execute("create table mine (number integer)")
        connection.execute("insert into mine values (1)")
        handle = trigger.options(on=connection).submit(1).now()
        assert count(sqlite_path) == 0
        connection.commit()
    assert count(sqlite_path) == 1
    assert handle.status().now() is Status.PENDING


def test_autocommit_outside_a_transaction_lands_at_once(opened: Opwright, sqlite_path: Path) -> None:
    """There is no transaction to join: all of the submit lands, or nothing."""
    trigger = opened.operation(double)
    with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as connection:
        trigger.options(on=connection).submit_many([(1,), (2,)]).now()
        assert count(sqlite_path) == 2
        trigger.options(on=connection, key="k").submit(3).now()
        with pytest.raises(KeyTaken):
            trigger.options(on=connection, key="k").submit(4).now()
        assert not connection.in_transaction
    assert count(sqlite_path) == 3


def test_a_callers_savepoint_of_the_same_name_survives(opened: Opwright, sqlite_path: Path) -> None:
    """Savepoints nest: what the application does with its own is not disturbed."""
    trigger = opened.operation(double)
    with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as connection:
        connection.execute("begin")
        trigger.options(on=connection).submit(1).now()
        connection.execute("savepoint opwright")
        trigger.options(on=connection).submit(2).now()
        connection.execute("rollback to opwright")
        connection.execute("commit")
    assert count(sqlite_path) == 1


def test_another_file_is_refused(opened: Opwright, sqlite_path: Path, tmp_path: Path) -> None:
    """The operation would land where no host looks; the error names both files."""
    trigger = opened.operation(double)
    for place in (tmp_path / "other.db", ":memory:"):
        with closing(sqlite3.connect(place)) as connection:
            with pytest.raises(InvalidOperation, match=str(sqlite_path)) as refusal:
                trigger.options(on=connection).submit(1).now()
            assert refusal.value.field == "on"


def test_another_name_of_the_same_file_is_accepted(opened: Opwright, sqlite_path: Path, tmp_path: Path) -> None:
    """A symbolic link leads to the same database."""
    link = tmp_path / "link.db"
    link.symlink_to(sqlite_path)
    with closing(sqlite3.connect(link, isolation_level=None)) as connection:
        opened.operation(double).options(on=connection).submit(1).now()
    assert count(sqlite_path) == 1


# -- what is no connection


@pytest.mark.parametrize(
    "thing",
    [5, "sqlite:///x.db", object(), asyncio],
    ids=lambda thing: type(thing).__name__,
)
def test_what_is_no_known_connection_is_refused(opened: Opwright, thing: Any) -> None:
    """The error names the type and says what may be given."""
    with pytest.raises(InvalidOperation, match=r"^on: .*asyncpg.*sqlite3") as refusal:
        opened.operation(double).options(on=thing).submit(1)
    assert refusal.value.field == "on"


async def test_a_connection_to_the_other_engine_is_refused(postgres_database: str, sqlite_path: Path) -> None:
    """SQLite's connection for an application on PostgreSQL, and the other way round."""
    on_postgres, on_sqlite = Opwright(postgres_database), Opwright(f"sqlite:///{sqlite_path}")
    with closing(sqlite3.connect(sqlite_path)) as connection, pytest.raises(InvalidOperation, match=r"SQLite.*PostgreSQL"):
        on_postgres.operation(double).options(on=connection).submit(1)
    trigger = on_sqlite.operation(double)
    raw = await asyncpg.connect(postgres_database)
    engine = create_async_engine(postgres_database.replace("postgresql://", "postgresql+asyncpg://"))
    async with AsyncSession(engine) as session, engine.connect() as connected:
        for on in (raw, session, connected):
            with pytest.raises(InvalidOperation, match=r"PostgreSQL.*SQLite") as refusal:
                trigger.options(on=on).submit(1)
            assert refusal.value.field == "on"
    await raw.close()
    await engine.dispose()


async def test_a_pool_is_no_transaction_and_is_refused(postgres_database: str) -> None:
    """Each statement on a pool may take another connection: there is no transaction to join, so it must not look like one."""
    ops = Opwright(postgres_database)
    async with ops, asyncpg.create_pool(postgres_database, min_size=1, max_size=2) as pool:
        with pytest.raises(InvalidOperation, match=r"^on:"):
            await ops.operation(double).options(on=pool).submit(1)
        assert await rows(ops) == {}


async def test_now_on_an_asynchronous_connection_is_refused(postgres_database: str) -> None:
    """Its loop could never answer while ``.now()`` blocks it: an error that says ``await``, not a standstill."""
    ops = Opwright(postgres_database)
    async with ops, asyncpg.create_pool(postgres_database, min_size=1, max_size=1) as pool, pool.acquire() as raw:
        call = ops.operation(double).options(on=raw).submit(1)
        # In a thread of its own, so that a standstill fails this test instead of stopping the run.
        with pytest.raises(InvalidOperation, match="await"):
            await asyncio.wait_for(asyncio.to_thread(call.now), 5)


# -- notifications


async def heard(url: str, work: Callable[[Any], Any]) -> list[str]:
    """The channels that a listener hears until the marker that is sent after ``work``."""
    channels: list[str] = []
    marked = asyncio.Event()
    listener, speaker = await asyncpg.connect(url), await asyncpg.connect(url)
    await listener.add_listener("opwright_opwright", lambda *event: channels.append(event[2]))
    await listener.add_listener("marker", lambda *_: marked.set())
    async with speaker.transaction():
        await work(speaker)
    await speaker.execute("notify marker")
    await asyncio.wait_for(marked.wait(), 10)
    await listener.close()
    await speaker.close()
    return channels


async def test_a_submit_in_an_asyncpg_transaction_is_told_with_its_commit(postgres_database: str) -> None:
    """There is no after-commit hook, so the notification rides on the transaction; ``notify=False`` leaves it out."""
    ops = Opwright(postgres_database)
    trigger = ops.operation(double)
    async with ops:
        assert await heard(postgres_database, lambda on: trigger.options(on=on).submit(1)) == ["opwright_opwright"]
        assert await heard(postgres_database, lambda on: trigger.options(on=on, notify=False).submit(1)) == []
        assert await rows(ops) == {"operations": 2, "ready": 2}


async def test_a_session_wakes_the_host_after_its_commit_only(postgres_database: str) -> None:
    """SQLAlchemy's hook: nothing at the submit, nothing after a rollback, a wake-up after the commit."""
    ops = Opwright(postgres_database)
    trigger = ops.operation(double)
    woken: list[str] = []
    end = ops.client.on_wake(lambda: woken.append("woken"))
    engine = create_async_engine(postgres_database.replace("postgresql://", "postgresql+asyncpg://"))
    async with ops, AsyncSession(engine) as session:
        await trigger.options(on=session).submit(1)
        await session.rollback()
        assert woken == []
        await trigger.options(on=session, notify=False).submit(1)
        await trigger.options(on=session).submit(2)
        await session.commit()
        assert woken != []
        assert await rows(ops) == {"operations": 2, "ready": 2}
    end()
    await engine.dispose()


async def test_a_host_that_hears_nothing_still_finds_it(ops: Opwright) -> None:
    """``notify=False`` costs a heartbeat, never an operation."""
    trigger = ops.operation(double)
    async with ops.host(pool="inline", heartbeat=0.1):
        handle = await trigger.options(notify=False).submit(1)

        async def ended() -> bool:
            return (await handle.status()).ended

        await eventually(ended, "the operation that nobody announced")
