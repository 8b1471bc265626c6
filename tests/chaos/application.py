"""The application: triggers of many kinds. Each traces its begin on a connection of its own; most have an effect."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg
import psutil
import psycopg

from opwright import Backoff, Current, HandedBack, Limit, Opwright, StaleClaim, operation
from opwright.app.target import Target
from opwright.operations.trigger import Trigger

MANY = 10_000  # retries and recoveries: no operation is to run out of them, unless it is meant to
SOON = Backoff(first=0.2, factor=1.5, longest=2.0)
RUNS = 4  # of `patient`, after which it asks no more; its submitter may have died before it answered
CHILDREN = 2
LOOK = 0.05  # seconds
TRACE = "insert into traces (operation, kind, attempt, token) values ($1, $2, $3, $4)"
EFFECT = "insert into effects (operation, attempt, token) values ($1, $2, $3)"
REFUSAL = "insert into refusals values ($1, $2, $3)"

Write = Callable[[Any], Awaitable[None]]
Result = TypeVar("Result")
_connection: asyncpg.Connection | None = None
_plain_connection: psycopg.Connection | None = None


async def connection() -> asyncpg.Connection:
    """The worker's own, as applications have one."""
    global _connection  # noqa: PLW0603 - one for each process
    if _connection is None or _connection.is_closed():
        _connection = await asyncpg.connect(os.environ["OPWRIGHT_URL"])
    return _connection


def plain_connection() -> psycopg.Connection:
    """The same for synchronous triggers."""
    global _plain_connection  # noqa: PLW0603 - one for each process
    if _plain_connection is None or _plain_connection.closed:
        _plain_connection = psycopg.connect(os.environ["OPWRIGHT_URL"], autocommit=True)
    return _plain_connection


async def begun() -> Current:
    """Trace that an attempt has begun."""
    current = operation.current()
    await (await connection()).execute(TRACE, current.id, current.trigger, current.attempt, current.token)
    return current


async def effect(current: Current, more: Write | None = None) -> None:
    """The effect and the end of the operation in one transaction. Whoever is told that it is stale writes that down too."""
    try:
        async with operation.transaction() as own:
            await own.connection.execute(EFFECT, current.id, current.attempt, current.token)
            if more is not None:
                await more(own.connection)
            own.returns(current.token)
    except StaleClaim:
        await (await connection()).execute(REFUSAL, current.id, current.attempt, current.token)
        raise


async def charge() -> int:
    """The effect, and nothing else."""
    await effect(await begun())
    return 0


def charge_plainly() -> int:
    """The same from synchronous code."""
    current = operation.current()
    known = [current.id, current.attempt, current.token]
    plain_connection().execute(_plain(TRACE), [current.id, current.trigger, current.attempt, current.token])
    try:
        with operation.transaction() as own:
            own.connection.execute(_plain(EFFECT), known)
            own.returns(current.token)
    except StaleClaim:
        plain_connection().execute(_plain(REFUSAL), known)
        raise
    return 0


def _plain(sql: str) -> str:
    """As psycopg writes it."""
    return re.sub(r"\$\d", "%s", sql)


async def note() -> int:
    """No effect but the trace, which may be there more than once; its result tells which attempt came through."""
    return (await begun()).token


async def slow(seconds: float) -> int:
    """Long enough to be met by a fault. Under a host that is stopped it becomes a zombie, which writes when nobody should."""
    current = await begun()
    await asyncio.sleep(seconds)
    while host_is_stopped() and not await is_begun_again(current):  # noqa: ASYNC110 - it happens in other processes
        await asyncio.sleep(LOOK)
    await effect(current)
    return 0


def host_is_stopped() -> bool:
    """By SIGSTOP."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(os.getppid()).status() == psutil.STATUS_STOPPED
    return False


async def is_begun_again(current: Current) -> bool:
    """Whether another attempt of the operation runs, so that this one is stale."""
    sql = "select exists (select 1 from traces where operation = $1 and attempt > $2)"
    return bool(await (await connection()).fetchval(sql, current.id, current.attempt))


async def flaky(failures: int) -> int:
    """Raises so many times first."""
    current = await begun()
    if current.attempt <= failures:
        raise RuntimeError(f"failure {current.attempt} of {failures}")
    await effect(current)
    return 0


async def hopeless() -> int:
    """Raises each time."""
    await begun()
    raise RuntimeError("as always")


async def patient() -> int:
    """Waits until its submitter answers."""
    current = await begun()
    runs = await (await connection()).fetchval("select count(*) from traces where operation = $1", current.id)
    if runs <= RUNS:
        operation.wait(0.5, times=MANY)
    await effect(current)
    return 0


async def bill(customer: int) -> int:
    """One of a customer at a time."""
    current = await begun()
    await asyncio.sleep(0.005)
    await effect(current)
    return customer


class Clerk:
    """Gets its operations back."""

    async def handle(self) -> int:
        """An effect."""
        await effect(await begun())
        return 0

    async def done(self, handed: HandedBack) -> None:
        """Notes the return, together with the end of the hand-back."""
        async with operation.transaction() as own:
            await own.connection.execute("insert into returns values ($1, $2)", handed.id, operation.current().id)


class Application:
    """The application."""

    module = "tests.chaos.worker"

    def __init__(self, url: str) -> None:
        self.ops = ops = Opwright(url)
        ops.found_at(Target(self.module, None, "ops", tuple(sys.path)))
        many = {"retries": MANY, "recoveries": MANY, "backoff": SOON}

        def patiently(function: Callable[..., Result], **options: Any) -> Trigger[..., Result]:
            trigger: Trigger[..., Result] = ops.operation(**{**many, **options})(function)
            return trigger

        self.charge = patiently(charge)
        self.charge_plainly = patiently(charge_plainly)
        self.note = patiently(note)
        self.slow = patiently(slow, timeout=3)
        self.bait = patiently(slow, name="bait")
        self.recalled = patiently(slow, name="recalled")
        self.flaky = patiently(flaky)
        self.hopeless = patiently(hopeless, retries=1)
        self.patient = patiently(patient)
        self.keyed = patiently(slow, name="keyed")
        self.bill = patiently(bill, limit=Limit(1, by="customer"))
        self.child = patiently(charge, name="child")
        self.parent = patiently(self._parent, name="parent")
        self.handed = ops.submitter("handed", Clerk(), retries=MANY, recoveries=MANY, backoff=SOON)

    async def _parent(self) -> int:
        """Submits its children in the transaction of its effect."""
        current = await begun()

        async def bear(own: Any) -> None:
            for _ in range(CHILDREN):
                child = await self.child.submit()
                await own.execute("insert into children values ($1, $2)", current.id, child.id)

        await effect(current, bear)
        return 0
