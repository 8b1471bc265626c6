"""The web application. Any number of processes serve it; each caches, and each is a host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, StreamingResponse

from examples.shop.database import engine, prepare
from examples.shop.orders import Overview, PlaceOrder, Refused, ops, overview
from opwright import changes
from opwright.integrations.lifespan import lifespan

T = TypeVar("T")

leaving = asyncio.Event()  # the server has been told to end


@asynccontextmanager
async def tables(_: FastAPI) -> AsyncIterator[None]:
    await prepare()
    yield
    await engine.dispose()


app = FastAPI(title="Shop", lifespan=lifespan(ops.host(pool="inline"), within=tables))


@app.post("/orders", status_code=201)
async def order(order: PlaceOrder) -> int:
    """The number of the order. What this process shows from now on knows of it."""
    try:
        number: int = await ops.call(order)
    except Refused as refused:
        raise HTTPException(409, str(refused)) from None
    return number


@app.get("/overview")
async def current() -> Overview:
    return await overview()


@app.get("/events")
async def events() -> StreamingResponse:
    """The overview now, and again whenever any host has changed it."""
    return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def stream() -> AsyncIterator[bytes]:
    """Ends with the server, for that waits until it does."""
    shown = changes(overview)
    while (state := await unless(leaving, anext(shown))) is not None:
        yield b"data: " + msgspec.json.encode(state) + b"\n\n"


async def unless(event: asyncio.Event, value: Awaitable[T]) -> T | None:
    """The value, or None as soon as the event has happened."""
    coming, happening = asyncio.ensure_future(value), asyncio.create_task(event.wait())
    try:
        await asyncio.wait([coming, happening], return_when=asyncio.FIRST_COMPLETED)
        return None if event.is_set() else coming.result()
    finally:
        coming.cancel()
        happening.cancel()


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).with_name("page.html"))
