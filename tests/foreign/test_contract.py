"""What holds on every connection that an application can give, whatever its library."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from opwright import InvalidOperation, KeyTaken, Opwright, Status, StoreError
from opwright.model.operation import NewOperation
from opwright.operations.call import Call
from opwright.store import submits
from opwright.store.engine import Plan
from tests.contract.kit import query
from tests.foreign.kit import Caller, calling
from tests.foreign.ways import POSTGRESQL, SQLITE
from tests.operations.kit import eventually, rows


async def double(number: int) -> int:
    return 2 * number


class Undecided(Exception):
    """A plan thinks better of it."""


def half_done(trigger: Any) -> Plan[None]:
    """A plan that fails after it has written."""
    yield from submits.submit([NewOperation(id=7, trigger=trigger.name, queue="default", inputs='{"number":1}', priority=0)])
    raise Undecided


async def mine(ops: Opwright) -> int:
    """How many rows the application itself has committed."""
    ((count,),) = await query(await ops.client.store(), "select count(*) from mine")
    return int(count)


def every_submit(trigger: Any) -> list[Callable[[], Call[Any]]]:
    """One, many, later, under a key; one that takes the key of another, and one that gives way to it."""
    return [
        lambda: trigger.submit(1),
        lambda: trigger.submit_many([(2,), (3,)]),
        lambda: trigger.options(delay=1000).submit(4),
        lambda: trigger.options(key="k").submit(5),
        lambda: trigger.options(key="k", on_conflict="replace").submit(6),
        lambda: trigger.options(key="k", on_conflict="skip").submit(7),
    ]


EVERY_SUBMIT = {"operations": 6, "ready": 4, "delayed": 1, "outcomes": 1, "operation_keys": 1}


async def test_what_is_rolled_back_leaves_nothing_and_the_next_transaction_is_as_any(shop: Opwright, caller: Caller) -> None:
    """No row of any submit, whichever came first, submit or data; the same submits, committed, all land."""
    trigger = shop.operation(double).options(on=caller.on)
    for ask in every_submit(trigger):
        await caller.make(ask)
    await caller.run("insert into mine values (1)")
    await caller.rollback()
    assert await rows(shop) == {}
    assert await mine(shop) == 0
    await caller.begin()
    await caller.run("insert into mine values (1)")
    for ask in every_submit(trigger):
        await caller.make(ask)
    assert await rows(shop) == {}
    await caller.commit()
    assert await rows(shop) == EVERY_SUBMIT
    assert await mine(shop) == 1


async def test_what_is_committed_is_carried_out(shop: Opwright, caller: Caller) -> None:
    """A running host picks it up after the commit: one, many, and under a key."""
    trigger = shop.operation(double).options(on=caller.on)
    async with shop.host(pool="inline", heartbeat=60):
        one = await caller.make(lambda: trigger.submit(1))
        many = await caller.make(lambda: trigger.submit_many([(2,), (3,)]))
        keyed = await caller.make(lambda: trigger.options(key="k").submit(4))
        await caller.commit()
        assert [await handle.result(timeout=20) for handle in (one, *many, keyed)] == [2, 4, 6, 8]


async def test_a_key_that_is_taken_leaves_the_transaction_usable(shop: Opwright, caller: Caller) -> None:
    """KeyTaken is the application's to handle: it goes on, and all its work lands."""
    trigger = shop.operation(double)
    winner = await trigger.options(key="k").submit(1)
    await caller.run("insert into mine values (1)")
    with pytest.raises(KeyTaken) as refusal:
        await caller.make(lambda: trigger.options(on=caller.on, key="k").submit(2))
    assert refusal.value.winner == winner.id
    await caller.run("insert into mine values (2)")
    await caller.make(lambda: trigger.options(on=caller.on, key="other").submit(3))
    await caller.commit()
    assert await mine(shop) == 2
    assert await rows(shop) == {"operations": 2, "ready": 2, "operation_keys": 2}


async def test_skip_and_replace_see_what_the_transaction_did(shop: Opwright, caller: Caller) -> None:
    """The rules of keys are the same on every connection."""
    trigger = shop.operation(double)
    old = await trigger.options(key="k").submit(1)
    assert await caller.make(lambda: trigger.options(on=caller.on, key="k", on_conflict="skip").submit(2)) == old
    new = await caller.make(lambda: trigger.options(on=caller.on, key="k", on_conflict="replace").submit(3))
    await caller.commit()
    assert [await handle.status() for handle in (old, new)] == [Status.CANCELLED, Status.PENDING]


async def test_a_statement_that_fails_leaves_the_transaction_usable(url: str, shop: Opwright, caller: Caller) -> None:
    """Nobody has migrated that schema: the error says so, and the application may go on and commit."""
    elsewhere = Opwright(url, schema="absent").operation(double)
    await caller.run("insert into mine values (1)")
    with pytest.raises(StoreError, match="opwright migrate") as refusal:
        await caller.make(lambda: elsewhere.options(on=caller.on).submit(1))
    assert refusal.value.__cause__ is not None
    await caller.run("insert into mine values (2)")
    await caller.make(lambda: shop.operation(double).options(on=caller.on).submit(3))
    await caller.commit()
    assert await mine(shop) == 2
    assert await rows(shop) == {"operations": 1, "ready": 1}


async def test_a_plan_that_fails_leaves_nothing_of_itself(shop: Opwright, caller: Caller) -> None:
    """What the application did before and does after stands."""
    trigger = shop.operation(double)
    await caller.run("insert into mine values (1)")
    with pytest.raises(Undecided):
        await caller.play(half_done(trigger), shop)
    await caller.run("insert into mine values (2)")
    await caller.commit()
    assert await mine(shop) == 2
    assert await rows(shop) == {}


async def test_a_savepoint_that_is_rolled_back_takes_its_submits_with_it(shop: Opwright, caller: Caller) -> None:
    """And no others."""
    trigger = shop.operation(double).options(on=caller.on)
    await caller.run("insert into mine values (1)")
    kept = await caller.make(lambda: trigger.submit(1))
    await caller.run("savepoint mine")
    await caller.make(lambda: trigger.submit(2))
    await caller.make(lambda: trigger.options(key="k").submit(3))
    await caller.run("rollback to savepoint mine")
    await caller.commit()
    assert await rows(shop) == {"operations": 1, "ready": 1}
    assert await kept.status() is Status.PENDING


async def test_without_a_transaction_a_submit_lands_at_once_and_whole(shop: Opwright, at_once: Caller) -> None:
    """There is nothing to join: all statements of a submit are one transaction of their own, and so are those of a failure."""
    trigger = shop.operation(double)
    with pytest.raises(Undecided):
        await at_once.play(half_done(trigger), shop)
    assert await rows(shop) == {}
    for ask in every_submit(trigger.options(on=at_once.on)):
        await at_once.make(ask)
    assert await rows(shop) == EVERY_SUBMIT
    await at_once.run("insert into mine values (1)")
    with pytest.raises(KeyTaken):
        await at_once.make(lambda: trigger.options(on=at_once.on, key="k").submit(8))
    assert await mine(shop) == 1
    assert await rows(shop) == EVERY_SUBMIT


@pytest.mark.parametrize("kind", ["asyncpg", "asyncpg pool", "async psycopg", "async psycopg autocommit"])
async def test_a_submit_that_is_cancelled_leaves_the_transaction_usable(kind: str, shop: Opwright, url: str) -> None:
    """It waited for a key that another transaction had taken; without it the application goes on and commits."""
    trigger = shop.operation(double)
    async with calling(POSTGRESQL[kind], url) as first, calling(POSTGRESQL[kind], url) as second:
        await first.begin()
        await second.begin()
        await first.make(lambda: trigger.options(on=first.on, key="k").submit(1))
        await second.run("insert into mine values (1)")
        waiting = asyncio.create_task(second.make(lambda: trigger.options(on=second.on, key="k").submit(2)))
        await eventually(lambda: held_up(shop), "the second submit waits for the first")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await second.run("insert into mine values (2)")
        await second.commit()
        await first.commit()
    assert await mine(shop) == 2
    assert await rows(shop) == {"operations": 1, "ready": 1, "operation_keys": 1}


async def held_up(shop: Opwright) -> bool:
    """Whether a connection waits for another one's transaction."""
    waiting = "select count(*) from pg_locks where not granted and locktype = 'transactionid'"
    ((count,),) = await query(await shop.client.store(), waiting)
    return bool(count)


async def test_now_is_for_what_needs_no_loop(shop: Opwright, caller: Caller) -> None:
    """A connection that is awaited would wait for the very thread that ``.now()`` blocks: the error says ``await``."""
    made = shop.operation(double).options(on=caller.on).submit(1)
    if caller.is_async:
        with pytest.raises(InvalidOperation, match="await") as refusal:
            made.now()
        assert refusal.value.field == "on"
    else:
        assert (await caller.do(made.now)).id
    await caller.rollback()


async def test_a_connection_to_the_other_engine_is_refused(
    kind: str, caller: Caller, tmp_path: Path, postgres_database: str
) -> None:
    """At the door, with the names of both."""
    there = f"sqlite:///{tmp_path}/x.db" if kind in POSTGRESQL else postgres_database
    names = "PostgreSQL.*SQLite" if kind in POSTGRESQL else "SQLite.*PostgreSQL"
    with pytest.raises(InvalidOperation, match=names) as refusal:
        Opwright(there).operation(double).options(on=caller.on).submit(1)
    assert refusal.value.field == "on"


@pytest.mark.parametrize("kind", SQLITE)
async def test_another_file_is_refused(kind: str, shop: Opwright, sqlite_path: Path, tmp_path: Path) -> None:
    """The operation would land where no host looks; the error names both files."""
    trigger = shop.operation(double)
    for place in (tmp_path / "other.db", ":memory:"):
        async with calling(SQLITE[kind], f"sqlite:///{place}") as caller:
            await caller.begin()
            with pytest.raises(InvalidOperation, match=str(sqlite_path)) as refusal:
                await caller.make(partial(trigger.options(on=caller.on).submit, 1))
            assert refusal.value.field == "on"
            await caller.rollback()
    assert await rows(shop) == {}
