"""The public API as users write it; mypy and pyright must find nothing to say about it."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_type

from opwright import (
    Backoff,
    Batch,
    Changes,
    Command,
    CommandContext,
    Computed,
    ComputedFunction,
    Current,
    HandedBack,
    Handle,
    Host,
    Invalidation,
    Limit,
    LogEntry,
    Operation,
    OperationScope,
    Opwright,
    Status,
    Trigger,
    Update,
    changes,
    isolated,
    operation,
)
from opwright.testing import (
    Drained,
    Submitted,
    TurnedClock,
    assert_submitted,
    drain,
    inline,
    refute_submitted,
    relocated,
    running,
    submitted,
)

ops = Opwright("sqlite:///never.db")


@dataclass
class Photo:
    name: str
    width: int = 640


@ops.operation
def render(photo: str, width: int = 640) -> str:
    return f"{photo}-{width}"


@ops.operation(name="measure", retries=3, recoveries=1, timeout=60, backoff=Backoff(first=1), queue="photos", priority=5)
async def measure(photo: Photo, *, tags: list[str] | None = None) -> dict[str, int]:
    return {photo.name: len(tags or [])}


@ops.operation(backoff=5.0, timeout=None)
def clean() -> None:
    """Nothing to return."""


@ops.operation(capture=True, limit=Limit(2, by="numbers", per=60))
async def count(numbers: list[int]) -> int:
    return sum(numbers)


async def submits() -> None:
    """Handles carry what the function returns, whether it is async or not."""
    assert_type(await render.submit("cat", width=5), Handle[str])
    assert_type(await measure.submit(Photo("cat"), tags=["a"]), Handle[dict[str, int]])
    assert_type(await clean.submit(), Handle[None])
    assert_type(await count.submit([1, 2]), Handle[int])
    assert_type(render.submit("cat").now(), Handle[str])
    assert_type(await render.submit_many([("cat",), {"photo": "dog", "width": 5}]), Batch[str])
    assert_type(await ops.submit("render", photo="cat"), Handle[Any])
    tonight = datetime.now(UTC)
    later = render.options(key="cat", on_conflict="skip", start_at=tonight, priority=3, queue="q", notify=False, timeout=5)
    assert_type(await later.submit("cat"), Handle[str])
    assert_type(await measure.options(delay=5, backoff=3, retries=1, recoveries=0).submit(Photo("a")), Handle[dict[str, int]])
    with sqlite3.connect("never.db") as connection:
        assert_type(render.options(on=connection).submit("cat").now(), Handle[str])


async def asks() -> None:
    """What a handle answers."""
    handle = await render.submit("cat")
    assert_type(await handle.result(), str)
    assert_type(await handle.result(timeout=5), str)
    assert_type(handle.result(5.0).now(), str)
    assert_type(await handle.status(), Status)
    assert_type(await handle.get(), Operation)
    assert_type(await handle.cancel(), bool)
    assert_type(handle.id, int)
    async for update in handle.follow():
        assert_type(update, Update)
        assert_type(update.status.ended, bool)
    assert_type(await (await count.submit([1])).result(), int)
    assert_type(await ops.handle(5).result(), Any)


async def hosts() -> None:
    """A host, by block or by hand."""
    async with ops, ops.host(workers=2, pool="inline", queues=("a", "b"), look_ahead=0, heartbeat=0.5) as host:
        assert_type(host, Host)
        assert_type(host.id, int)
    await ops.host(slots=5, lease=20, renew=5, recycle_after=1000).run()


async def calls() -> None:
    """A trigger is still the function, and passes for any trigger of such a result."""
    assert_type(render("cat", width=5), str)
    assert_type(render.options(priority=5)("cat"), str)
    assert_type(measure(Photo("cat")), Awaitable[dict[str, int]])
    assert_type(await count([1]), int)
    handed: Trigger[..., str] = render
    print(handed.name)  # noqa: T201 - an example of use
    await asyncio.gather(submits(), asks())


@ops.operation
async def approve(invoice: int) -> str:
    """What a running operation can ask and say."""
    assert_type(operation.current(), Current)
    assert_type(operation.current().attempt, int)
    operation.log("asked the boss")
    operation.progress(0.5, "half of it")
    answer: str = operation.wait(60, times=3)
    if operation.cancelled() or not answer:
        operation.retry(after=5, reason="no answer")
    return answer


@ops.worker
def prepare() -> Iterator[None]:
    yield


@ops.around
def traced(current: Current) -> Iterator[None]:
    print(current.id)  # noqa: T201 - an example of use
    yield


class Importer:
    """A submitter."""

    async def handle(self, file: str, *, lines: int = 0) -> int:
        return len(file) + lines

    async def done(self, operation: HandedBack) -> None:
        assert_type(operation.inputs, dict[str, Any])


imports = ops.submitter("imports", Importer(), queue="slow", retries=3)


async def chains() -> None:
    """Operations that follow others, are resumed, handed back; queues that are paused."""
    first = await render.submit("cat")
    assert_type(await measure.options(after=[first], even_if_failed=True).submit(Photo("cat")), Handle[dict[str, int]])
    batch = await render.submit_many([("cat",)], then=clean, then_inputs={})
    assert_type(batch.then, Handle[Any])
    assert_type(batch[0], Handle[str])
    assert_type(await first.resume({"by": "Ann"}), bool)
    assert_type(await first.retry(), Handle[str])
    assert_type(await first.children(), list[Handle[Any]])
    assert_type(await imports.submit("a.csv", lines=5), Handle[int])
    assert_type(await render.options(submitter=imports).submit("cat"), Handle[str])
    await ops.queue("mail", limit=Limit(3)).pause()
    ops.queue("mail").resume().now()


@dataclass
class PlaceOrder:
    customer: int


@ops.command
async def place_order(order: PlaceOrder, scope: OperationScope) -> int:
    scope.items.keyless_set(order.customer)
    assert_type(scope.items.keyless_get(int), int)
    scope.after_commit(clean)
    return order.customer


@place_order.invalidates
def forget(order: PlaceOrder, entry: LogEntry) -> None:
    assert_type(entry.items.keyless_get(str, None), str | None)


@ops.broadcast_handler(name="tell", durable=False)
async def tell_all(order: PlaceOrder) -> None: ...


@ops.command_filter(priority=500)
async def timed(command: object, context: CommandContext, call_next: Callable[[], Awaitable[Any]]) -> Any:
    context.items["begun"] = 1
    context.items.set(5)
    assert_type(context.items.get(int), int)
    return await call_next()


async def commands() -> None:
    """Calling and submitting."""
    assert_type(place_order, Command[PlaceOrder, int])
    assert_type(await ops.run(PlaceOrder(1)), CommandContext)
    await ops.call(PlaceOrder(1), isolated=True)
    assert_type(await place_order.submit(PlaceOrder(1)), Handle[int])
    assert_type(await place_order.options(priority=5).submit(PlaceOrder(1)), Handle[int])


@ops.computed
async def total(customer: str, *, year: int = 2026) -> int:
    return len(customer) + year


@ops.computed(min_keep=60, auto_invalidate=3600, keep_errors=5)
async def totals() -> list[int]:
    return [await total("Ada")]


class Shop:
    @ops.computed
    async def price(self, photo: str) -> float:
        return float(len(photo))


async def computed(shop: Shop) -> None:
    """Cached functions and methods have the arguments and results of those that they wrap."""
    assert_type(await total("Ada", year=2025), int)
    assert_type(await totals(), list[int])
    assert_type(await shop.price("cat"), float)
    price: ComputedFunction[[str], float] = shop.price
    value = await shop.price.computed(photo="cat")
    assert_type(value, Computed[float])
    assert_type(value.value, float)
    assert_type(value.is_consistent, bool)
    await value.when_invalidated()
    assert_type(total.invalidate("Ada"), Invalidation)
    await price.invalidate("cat")
    Shop.price.invalidate_all().wait(timeout=5)
    ops.invalidate_all()
    following: Changes[..., int] = changes(total, "Ada", year=2025)
    assert_type(await anext(following), int)
    async for one in changes(shop.price, "cat"):
        assert_type(one, float)
    with isolated():
        await total("Ada")


async def tests() -> None:
    """What an application's tests use."""
    clock = TurnedClock()
    async with relocated(ops, "sqlite:///test.db", clock=clock) as moved:
        assert_type(moved, Opwright)
        assert_type(await assert_submitted(render, photo="cat"), Submitted)
        await refute_submitted(ops)
        assert_type(await submitted(ops), list[Submitted])
        assert_type(await drain(ops, triggers=[render, "measure"], with_delayed=True, raises=False), Drained)
    with inline(ops), running(approve, attempt=2, answers=["yes"]) as recorded:
        assert_type(await approve(5), str)
    assert_type(recorded.logged, list[str])
