"""What the contract tests say often: operations, hosts, verdicts, and a look into the tables."""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import msgspec

from opwright.model.claim import Claim, DelayReason, End, Postpone, Release, Verdict
from opwright.model.host import Host, Registration, Renewal
from opwright.model.ids import new_id
from opwright.model.operation import NewOperation
from opwright.model.options import Options
from opwright.model.status import OutcomeCode, Status
from opwright.store import submits
from opwright.store.queue import Settlement
from opwright.store.store import Store

T = TypeVar("T")
OpenStore = Callable[[], Awaitable[Store]]

TRIGGER, QUEUE = "work", "default"
PLACES = ("ready", "delayed", "claimed", "outcomes")
PATIENCE = float(os.environ.get("OPWRIGHT_TEST_PATIENCE", "10"))  # seconds until waiting counts as hanging

SUCCESS = End(OutcomeCode.SUCCEEDED, result='"done"')
FAILURE = End(OutcomeCode.FAILED, error="it broke")
CANCELLATION = End(OutcomeCode.CANCELLED, error="as asked")
ENDS = [SUCCESS, FAILURE, CANCELLATION]
HAND_BACK = Release(0, 0)


def operation(
    trigger: str = TRIGGER,
    key: str | None = None,
    *,
    queue: str = QUEUE,
    priority: int = 0,
    inputs: str = "{}",
    due: int | None = None,
    wait: int | None = None,
    options: Options | None = None,
    identifier: int | None = None,
) -> NewOperation:
    """A submit with the defaults of these tests."""
    budget = None if options is None else msgspec.json.encode(options).decode()
    return NewOperation(
        new_id() if identifier is None else identifier,
        trigger, queue, inputs, priority, options=budget, due=due, wait=wait, key=key,
    )  # fmt: skip


async def submit(store: Store, count: int = 1) -> list[int]:
    """Submit so many plain operations; their ids, oldest first."""
    new = [operation() for _ in range(count)]
    await store.operations.submit(new)
    return [each.id for each in new]


def retry(claim: Claim, delay: float = 60, note: str | None = "it broke") -> Postpone:
    """The verdict on an error with budget left."""
    return Postpone(delay, DelayReason.RETRY, claim.errors + 1, claim.deaths, note)


def wait(claim: Claim, delay: float = 60) -> Postpone:
    """The verdict on a trigger that wants to be asked again later."""
    return Postpone(delay, DelayReason.WAIT, claim.errors, claim.deaths)


@dataclass
class Member:
    """A registered host as a test drives it."""

    store: Store
    registration: Registration

    @property
    def id(self) -> int:
        """The id of its row."""
        return self.registration.id

    async def claim(
        self,
        limit: int = 100,
        *,
        queue: str = QUEUE,
        triggers: Sequence[str] = (TRIGGER,),
        ahead: bool = False,
    ) -> list[Claim]:
        """Claim under a new token."""
        return await self.store.queue.claim(
            host=self.id, token=new_id(), queue=queue, triggers=list(triggers), limit=limit, ahead=ahead
        )

    async def take(self) -> Claim:
        """Claim exactly one."""
        (claim,) = await self.claim(1)
        return claim

    async def begin(self, new: NewOperation) -> Claim | None:
        """Submit beside it, as it has a free slot: its claim, unless it may have none."""
        token, step = new_id(), submits.submit_one(new)
        (answer,) = await self.store.engine.run("submit_claimed", host=self.id, token=token, **step.values)
        return self.store.queue.claimed(new, token) if answer["claimed"] else None

    async def settle(self, *settlements: Settlement) -> set[int]:
        """Write verdicts; the operations for which they landed."""
        return await self.store.queue.settle(self.id, settlements)

    async def end(self, claim: Claim, verdict: Verdict = SUCCESS) -> bool:
        """Write one verdict; whether it landed."""
        return await self.settle((claim, verdict)) == {claim.operation}

    async def renew(self, *, judge: bool = False) -> Renewal:
        return await self.store.hosts.renew(self.registration, judge=judge)

    async def asked(self) -> list[int]:
        """The operations it is asked to cancel."""
        return [each for each, _ in await self.store.queue.asked(self.id)]

    async def row(self) -> Host:
        """Its row."""
        (row,) = [row for row in await self.store.hosts.all() if row.id == self.id]
        return row


async def join(store: Store, *, name: str = "host", lease: float = 12.0) -> Member:
    """Register a host."""
    registration = await store.hosts.register(
        name=name, pid=os.getpid(), version="1.0", lease=lease, queues=None, triggers=[TRIGGER]
    )
    return Member(store, registration)


async def status(store: Store, identifier: int) -> Status:
    """What people read."""
    return (await store.operations.get(identifier)).status


def ids(claims: Iterable[Claim]) -> list[int]:
    """The operations of claims, in order."""
    return [claim.operation for claim in claims]


def forged(claim: Claim, **changes: Any) -> Claim:
    """The claim with something changed, as a confused or late host would show it."""
    return msgspec.structs.replace(claim, **changes)


def stale(claim: Claim) -> Claim:
    """The claim under a token that was never given for it."""
    return forged(claim, token=new_id())


def is_postgresql(store: Store) -> bool:
    """Which engine this is."""
    return store.engine.dialect.name == "postgresql"


async def query(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """Rows of any statement, past the gateways. `opwright.` stands for the schema."""
    sql = sql.replace("opwright.", store.engine.dialect.schema_text(store.engine.schema))
    if is_postgresql(store):
        raw = await asyncpg.connect(store.engine.url, statement_cache_size=0)
        try:
            return [tuple(row) for row in await raw.fetch(sql)]
        finally:
            await raw.close()
    path = store.engine.path  # type: ignore[attr-defined]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


async def places(store: Store) -> dict[str, list[int]]:
    """Which operation stands in which table."""
    union = " union all ".join(f"select '{name}', operation from opwright.{name}" for name in PLACES)
    found: dict[str, list[int]] = {name: [] for name in PLACES}
    for name, identifier in await query(store, union):
        found[name].append(identifier)
    return found


async def promptly(work: Awaitable[T]) -> T:
    """The answer of something that has no reason to wait; hanging is a failed promise, not a broken test."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=PATIENCE)
    if not done:
        task.cancel()
    assert done, "it waited for somebody"
    return await task


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a moment that a query can see; its round trip is the pause."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            pass
