"""Who is told of a submit in the caller's transaction on PostgreSQL: once, after the commit, and never after a rollback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import psycopg
import pytest
import pytest_asyncio
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections, transaction
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from opwright import Opwright
from tests.foreign.kit import calling
from tests.foreign.ways import AT_ONCE, POSTGRESQL, alias, on_sqlalchemy, through
from tests.operations.kit import rows
from tests.operations.test_notify_caller import Listener

HOOKED = [name for name in POSTGRESQL if "ession" in name or "Django" in name]


class Undone(Exception):
    """The application thinks better of it."""


async def double(number: int) -> int:
    return 2 * number


@pytest_asyncio.fixture
async def ops(postgres_database: str) -> AsyncIterator[Opwright]:
    """The application, open in the test's event loop."""
    application = Opwright(postgres_database)
    async with application:
        yield application


@pytest_asyncio.fixture
async def listener(ops: Opwright, postgres_database: str) -> AsyncIterator[Listener]:
    """Hears what other processes would hear."""
    raw, speaker = await asyncpg.connect(postgres_database), await asyncpg.connect(postgres_database)
    made = Listener(raw, speaker)
    await made.start()
    yield made
    await raw.close()
    await speaker.close()


@pytest.fixture
def woken(ops: Opwright) -> list[str]:
    """Grows whenever the hosts of this process are woken."""
    times: list[str] = []
    ops.client.on_wake(lambda: times.append("woken"))
    return times


async def in_thread(work: Callable[[], Any]) -> Any:
    """Synchronous code of the application, where no event loop runs."""
    return await asyncio.to_thread(work)


@pytest.mark.parametrize("kind", POSTGRESQL)
async def test_others_are_told_once_after_the_commit(kind: str, ops: Opwright, listener: Listener) -> None:
    """However many submits there were; not before, not after a rollback, and not again with the next commit."""
    plain = ops.operation(double)
    async with calling(POSTGRESQL[kind], ops.client.url) as caller:
        trigger = plain.options(on=caller.on)
        await caller.begin()
        await caller.make(lambda: trigger.submit(1))
        await caller.rollback()
        assert await listener.heard(ops) == 0
        await caller.begin()
        await caller.make(lambda: trigger.submit(2))
        await caller.make(lambda: trigger.submit_many([(3,), (4,)]))
        await caller.make(lambda: trigger.options(key="k").submit(5))
        assert await listener.heard(ops) == 0
        await caller.commit()
        assert await listener.heard(ops) == 1
        await caller.begin()
        await caller.make(lambda: trigger.options(notify=False).submit(6))
        await caller.commit()
    assert await listener.heard(ops) == 1
    assert await rows(ops) == {"operations": 5, "ready": 5, "operation_keys": 1}


@pytest.mark.parametrize("kind", POSTGRESQL)
async def test_a_process_without_a_store_tells_all_the_same(
    kind: str, postgres_database: str, ops: Opwright, listener: Listener
) -> None:
    """Nothing of the submitting application is open: its notification rides on the caller's transaction."""
    closed = Opwright(postgres_database).operation(double)
    async with calling(POSTGRESQL[kind], postgres_database) as caller:
        await caller.begin()
        await caller.make(lambda: closed.options(on=caller.on).submit(1))
        await caller.rollback()
        await caller.begin()
        await caller.make(lambda: closed.options(on=caller.on).submit(2))
        assert await listener.heard(ops) == 0
        await caller.commit()
    assert await listener.heard(ops) == 1


@pytest.mark.parametrize("kind", [name for name in AT_ONCE if "sqlite" not in name])
async def test_without_a_transaction_others_are_told_at_once(kind: str, ops: Opwright, listener: Listener) -> None:
    """No commit will follow with which it could be told."""
    trigger = ops.operation(double)
    async with calling(AT_ONCE[kind], ops.client.url) as caller:
        await caller.make(lambda: trigger.options(on=caller.on).submit(1))
        assert await listener.heard(ops) == 1
        await caller.make(lambda: trigger.options(on=caller.on).submit_many([(2,), (3,)]))
        assert await listener.heard(ops) == 2


@pytest.mark.parametrize("kind", HOOKED)
async def test_a_hook_leaves_the_transaction_of_the_application_alone(kind: str, ops: Opwright, woken: list[str]) -> None:
    """Where the library tells us of its commits nothing is sent on its connection, and hosts of this process need no server."""
    trigger = ops.operation(double)
    async with calling(POSTGRESQL[kind], ops.client.url) as caller:
        await caller.begin()
        await caller.make(lambda: trigger.options(on=caller.on).submit(1))
        await caller.rollback()
        assert woken == []
        await caller.begin()
        await caller.make(lambda: trigger.options(on=caller.on).submit(2))
        await caller.make(lambda: trigger.options(on=caller.on).submit(3))
        assert woken == []
        await caller.commit()
        assert woken == ["woken"]


# -- sessions


async def test_a_session_forgets_what_was_due_in_a_transaction_that_is_over(ops: Opwright, woken: list[str]) -> None:
    """Rolled back, or closed without a word: the commit of another transaction wakes nobody."""
    trigger = ops.operation(double)

    def work() -> None:
        with on_sqlalchemy(ops.client.url, driver="psycopg") as way:
            for end in (way.on.rollback, way.on.close):
                trigger.options(on=way.on).submit(1).now()
                end()
                way.run("select 1")
                way.commit()

    await in_thread(work)
    assert woken == []


async def test_the_savepoints_of_a_session_tell_nobody(ops: Opwright, woken: list[str], listener: Listener) -> None:
    """What was submitted before one that is rolled back is told, after the real commit, once."""
    trigger = ops.operation(double)

    def work() -> None:
        with on_sqlalchemy(ops.client.url, driver="psycopg") as way:
            submit = trigger.options(on=way.on).submit
            submit(1).now()
            lost = way.on.begin_nested()
            submit(2).now()
            lost.rollback()
            kept = way.on.begin_nested()
            submit(3).now()
            kept.commit()
            assert woken == []
            way.commit()

    await in_thread(work)
    assert woken == ["woken"]
    assert await listener.heard(ops) == 1
    assert await rows(ops) == {"operations": 2, "ready": 2}


async def test_a_session_on_a_connection_is_not_believed(ops: Opwright, woken: list[str], listener: Listener) -> None:
    """Its commit is none while the connection has a transaction of its own: the notification waits for that one."""
    trigger = ops.operation(double)
    engine = create_engine(through(ops.client.url, "psycopg"))
    connection = await in_thread(engine.connect)
    await in_thread(connection.begin)

    def work() -> None:
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            trigger.options(on=session).submit(1).now()
            session.commit()

    await in_thread(work)
    assert await listener.heard(ops) == 0
    assert woken == []
    await in_thread(connection.commit)
    assert await listener.heard(ops) == 1
    await in_thread(connection.close)
    engine.dispose()


# -- Django


async def test_an_inner_atomic_block_that_fails_tells_nobody(ops: Opwright, woken: list[str]) -> None:
    """Django drops its hooks with it, and the outer block is as usable as before."""
    trigger = ops.operation(double)

    def fail(name: str) -> None:
        with transaction.atomic(using=name):
            trigger.options(on=connections[name]).submit(1).now()
            raise Undone

    def work() -> None:
        with alias(ops.client.url) as name:
            with transaction.atomic(using=name), pytest.raises(Undone):
                fail(name)
            assert woken == []
            with pytest.raises(Undone):
                fail(name)
            assert woken == []
            with transaction.atomic(using=name):
                with pytest.raises(Undone):
                    fail(name)
                trigger.options(on=connections[name]).submit(2).now()

    await in_thread(work)
    assert woken == ["woken"]
    assert await rows(ops) == {"operations": 1, "ready": 1}


async def test_a_broken_atomic_block_stays_broken(ops: Opwright) -> None:
    """Django's own word for it comes through, and nothing is written."""
    trigger = ops.operation(double)

    def work() -> None:
        with alias(ops.client.url) as name, transaction.atomic(using=name):
            transaction.set_rollback(True, using=name)
            with pytest.raises(transaction.TransactionManagementError):
                trigger.options(on=connections[name]).submit(1).now()

    await in_thread(work)
    assert await rows(ops) == {}


async def test_transactions_by_hand_are_joined_too(ops: Opwright, listener: Listener) -> None:
    """``set_autocommit(False)``: Django has no hooks then, so the notification is part of the transaction."""
    trigger = ops.operation(double)

    def work() -> None:
        with alias(ops.client.url) as name:
            transaction.set_autocommit(False, using=name)
            for end in (transaction.rollback, transaction.commit):
                trigger.options(on=connections[name]).submit(1).now()
                end(using=name)
            transaction.set_autocommit(True, using=name)

    await in_thread(work)
    assert await listener.heard(ops) == 1
    assert await rows(ops) == {"operations": 1, "ready": 1}


async def test_django_in_an_event_loop_says_what_to_do(ops: Opwright) -> None:
    """Django refuses, as for every query of its own; the note leads on."""
    with alias(ops.client.url) as name:
        with pytest.raises(SynchronousOnlyOperation) as refusal:
            await ops.operation(double).options(on=connections[name]).submit(1)
        assert "sync_to_async" in "".join(refusal.value.__notes__)


async def test_the_log_of_django_shows_our_statements(ops: Opwright, sqlite_path: Any) -> None:
    """They go through its cursor, parameters and all, also on SQLite where Django writes them out by itself."""
    on_sqlite = Opwright(f"sqlite:///{sqlite_path}")
    async with on_sqlite:
        for application in (ops, on_sqlite):
            trigger = application.operation(double)

            def work(application: Opwright = application, trigger: Any = trigger) -> list[str]:
                with alias(application.client.url) as name, transaction.atomic(using=name):
                    connections[name].force_debug_cursor = True
                    trigger.options(on=connections[name], key="100 %s").submit(1).now()
                    return [query["sql"] for query in connections[name].queries]

            assert any("100 %s" in text for text in await in_thread(work))
            assert (await rows(application))["operation_keys"] == 1


# -- psycopg


async def test_work_that_is_still_in_the_pipeline_is_not_lost(ops: Opwright) -> None:
    """In autocommit, outside a transaction: what the caller has sent and not yet seen answered stands, whatever we do."""
    trigger = ops.operation(double)

    def work() -> None:
        with psycopg.connect(ops.client.url, autocommit=True) as on, on.pipeline():
            on.execute("create table mine (number integer)")
            on.execute("insert into mine values (1)")
            handle = trigger.options(on=on, key="k").submit(1).now()
            cursor = on.execute("select count(*) from mine")
            assert handle == trigger.options(on=on, key="k", on_conflict="skip").submit(2).now()
            assert cursor.fetchone() == (1,)

    await in_thread(work)
    assert await rows(ops) == {"operations": 1, "ready": 1, "operation_keys": 1}
