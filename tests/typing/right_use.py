"""The public API as users write it; mypy and pyright must find nothing to say about it."""

import asyncio
import sqlite3
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_type

from opwright import Backoff, Handle, Host, Operation, Opwright, Status, Trigger, Update

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


@ops.operation()
async def count(numbers: list[int]) -> int:
    return sum(numbers)


async def submits() -> None:
    """Handles carry what the function returns, whether it is async or not."""
    assert_type(await render.submit("cat", width=5), Handle[str])
    assert_type(await measure.submit(Photo("cat"), tags=["a"]), Handle[dict[str, int]])
    assert_type(await clean.submit(), Handle[None])
    assert_type(await count.submit([1, 2]), Handle[int])
    assert_type(render.submit("cat").now(), Handle[str])
    assert_type(await render.submit_many([("cat",), {"photo": "dog", "width": 5}]), list[Handle[str]])
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


def calls() -> None:
    """A trigger is still the function."""
    found: str | Awaitable[str] = render("cat", width=5)
    handed: Trigger[..., str] = render
    print(found, handed.name)  # noqa: T201 - an example of use
    asyncio.run(submits())
