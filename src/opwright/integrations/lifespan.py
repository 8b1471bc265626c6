"""The lifespan of an ASGI application: FastAPI, Starlette, Litestar."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, overload

from opwright.app.application import Opwright
from opwright.app.host import Host
from opwright.errors import ConfigurationError

A = TypeVar("A")
S = TypeVar("S")


@overload
def lifespan(ops: Opwright | Host) -> Callable[[object], AbstractAsyncContextManager[None]]: ...
@overload
def lifespan(
    ops: Opwright | Host, within: Callable[[A], AbstractAsyncContextManager[S]]
) -> Callable[[A], AbstractAsyncContextManager[S]]: ...
def lifespan(
    ops: Opwright | Host, within: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None
) -> Callable[[Any], AbstractAsyncContextManager[Any]]:
    """What a framework takes as ``lifespan=``.

    ``ops``: the application, whose database is opened for submitting; or a host of it, ``ops.host(workers=2)``, which also does
    the work. ``within``: a lifespan of your own. It starts first and ends last, so that a stopping host still finds what it
    opened; what it yields is passed on. Raises ConfigurationError for anything else; a start-up that fails raises what failed.
    """
    if not isinstance(ops, Opwright | Host):
        raise ConfigurationError(
            f"lifespan: {ops!r} is neither an application nor a host: write lifespan(ops) or lifespan(ops.host())"
        )

    @asynccontextmanager
    async def entered(app: Any) -> AsyncIterator[Any]:
        async with (within or _nothing)(app) as state, ops:
            yield state

    return entered


@asynccontextmanager
async def _nothing(_: object) -> AsyncIterator[None]:
    yield
