"""A Litestar application that has resources of its own, beside a host: `python examples/06_litestar.py`."""  # noqa: N999

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from litestar import Litestar, Request, get, post
from litestar.datastructures import State

from opwright import Opwright, Status
from opwright.integrations.lifespan import lifespan

ops = Opwright("sqlite:///litestar.db")


@ops.operation
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@post("/greetings/{name:str}")
async def submit(request: Request[object, object, State]) -> dict[str, str]:
    return {"operation": str((await greet.submit(request.path_params["name"])).id)}


@get("/operations/{operation:int}")
async def state(request: Request[object, object, State]) -> dict[str, Status | str]:
    handle = ops.handle(request.path_params["operation"])
    return {"result": await handle.result(timeout=30), "status": await handle.status()}


@asynccontextmanager
async def own(_: Litestar) -> AsyncIterator[None]:
    print("Opened: what triggers need too")
    yield
    print("Closed: after the host has stopped")


app = Litestar([submit, state], lifespan=[own, lifespan(ops.host(pool="inline"))], logging_config=None)


async def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30) as web:
            submitted = (await web.post("/greetings/world")).json()
            print((await web.get(f"/operations/{submitted['operation']}")).json())
        server.should_exit = True  # as Ctrl-C does
        await serving


if __name__ == "__main__":
    asyncio.run(main())
