"""The application of the tests behind three frameworks: each submits at a request, and each with a host or without."""

import os

from fastapi import FastAPI
from litestar import Litestar
from litestar import Request as LitestarRequest
from litestar import post as litestar_post
from litestar.datastructures import State
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from opwright.integrations.lifespan import lifespan
from tests.kit.worker import ops

runs = lifespan(ops.host(workers=1) if "WITH_HOST" in os.environ else ops)

fastapi = FastAPI(lifespan=runs)


@fastapi.post("/{trigger}/{name}", status_code=201)
async def submit(trigger: str, name: str) -> str:
    return str((await ops.submit(trigger, name=name)).id)


async def _submit(request: Request) -> JSONResponse:
    return JSONResponse(await submit(**request.path_params), 201)


starlette = Starlette(routes=[Route("/{trigger}/{name}", _submit, methods=["POST"])], lifespan=runs)


@litestar_post("/{trigger:str}/{name:str}")
async def _litestar_submit(request: LitestarRequest[object, object, State]) -> str:
    return await submit(**request.path_params)


litestar = Litestar([_litestar_submit], lifespan=[runs])
