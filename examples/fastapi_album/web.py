"""The web application: it stores photos, and submits what is to be done with them in the same transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from examples.fastapi_album.database import Base, Photo, engine, sessions
from examples.fastapi_album.operations import ops, render
from opwright import OperationCancelled, OperationFailed, OperationNotFound, Status
from opwright.integrations.lifespan import lifespan


@asynccontextmanager
async def tables(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


async def a_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(a_session)]
app = FastAPI(title="Album", lifespan=lifespan(ops.host(workers=2), within=tables))
page = Jinja2Templates(Path(__file__).parent)


class State(BaseModel):
    """A photo and how far it has come. The operation's id is text, because JavaScript has no integers of 63 bits."""

    id: UUID
    title: str
    operation: str
    status: Status
    result: str | None
    error: str | None


@app.post("/photos", status_code=201)
async def add(title: str, request: Request, session: Session) -> State:
    """Store the photo in the body, and submit the rendering of its thumbnail."""
    photo = Photo(id=uuid4(), title=title, picture=await request.body())
    photo.operation = (await render.options(on=session).submit(photo.id)).id
    session.add(photo)
    try:
        await session.commit()
    except IntegrityError:  # the submit came first, and goes with all the rest
        detail = {"error": f"there is a photo {title!r} already", "operation": str(photo.operation)}
        raise HTTPException(409, detail) from None
    return await state_of(photo)


@app.get("/photos")
async def photos(session: Session) -> list[State]:
    found = await session.scalars(select(Photo).order_by(Photo.operation.desc()))  # ids of operations are in order of time
    return await asyncio.gather(*map(state_of, found))


@app.get("/photos/{photo}")
async def one(photo: UUID, session: Session, wait: float = 0) -> State:
    """The state of a photo; with ``wait``, as soon as its operation has ended, but after so many seconds at the latest."""
    found = await stored(photo, session)
    with suppress(OperationFailed, OperationCancelled, TimeoutError):  # the state tells
        await ops.handle(found.operation).result(timeout=wait)
    return await state_of(found)


@app.get("/photos/{photo}/thumbnail")
async def picture(photo: UUID, session: Session) -> Response:
    jpeg = await (await stored(photo, session)).awaitable_attrs.thumbnail
    if jpeg is None:
        raise HTTPException(404, "it is not rendered yet")
    return Response(jpeg, media_type="image/jpeg")


@app.get("/operations/{operation}")
async def status(operation: int) -> Status:
    try:
        return await ops.handle(operation).status()
    except OperationNotFound as error:
        raise HTTPException(404, str(error)) from None


@app.get("/")
async def index(request: Request, session: Session) -> HTMLResponse:
    return page.TemplateResponse(request, "page.html", {"photos": await photos(session), "ended": Status.SUCCEEDED})


async def stored(photo: UUID, session: AsyncSession) -> Photo:
    found = await session.get(Photo, photo)
    if found is None:
        raise HTTPException(404, "there is no such photo")
    return found


async def state_of(photo: Photo) -> State:
    operation = await ops.handle(photo.operation).get()
    error = operation.error and operation.error.partition("\n")[0]  # without the traceback
    return State(
        id=photo.id, title=photo.title, operation=str(operation.id),
        status=operation.status, result=operation.result, error=error,
    )  # fmt: skip
