"""A web application with a host in its own process, from start-up to shutdown: `python examples/05_starlette.py`."""  # noqa: N999

import asyncio
import os
import socket

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from opwright import Opwright
from opwright.integrations.lifespan import lifespan

ops = Opwright("sqlite:///starlette.db")


@ops.operation
def count_words(text: str) -> dict[str, int]:
    return {"words": len(text.split()), "process": os.getpid()}


async def submit(request: Request) -> JSONResponse:
    handle = await count_words.submit((await request.body()).decode())
    return JSONResponse({"operation": str(handle.id)}, 202)


async def result(request: Request) -> JSONResponse:
    return JSONResponse(await ops.handle(request.path_params["operation"]).result(timeout=30))


app = Starlette(
    routes=[Route("/texts", submit, methods=["POST"]), Route("/operations/{operation}", result)],
    lifespan=lifespan(ops.host(workers=1)),  # lifespan(ops) only submits; then `opwright run` does the work elsewhere
)


async def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30) as web:
            submitted = await web.post("/texts", content="to be or not to be")
            print("Answered at once:", submitted.status_code)
            counted = (await web.get(f"/operations/{submitted.json()['operation']}")).json()
            print("Words:", counted["words"], "counted by another process:", counted["process"] != os.getpid())
        server.should_exit = True  # as Ctrl-C does
        await serving


if __name__ == "__main__":
    asyncio.run(main())
