"""Start the album, place some requests, tell what happened: `python -m examples.fastapi_album [--serve]`."""

from __future__ import annotations

import asyncio
import secrets
import socket
from contextlib import suppress
from io import BytesIO

import click
import httpx
import uvicorn
from PIL import Image

from examples.fastapi_album.web import app


@click.command()
@click.option("--serve", is_flag=True, help="Go on serving afterwards, until Ctrl-C.")
@click.option("--port", type=int, default=0, help="Where to listen, if not at any free port.")
def main(port: int, *, serve: bool) -> None:
    """Start the web application with a host, place some requests, and print what happened."""
    # Whoever connects before the application has started waits for it. Ctrl-C stops it in good order, and is no error then.
    with socket.create_server(("127.0.0.1", port)) as listening, suppress(KeyboardInterrupt):
        asyncio.run(run(listening, serve=serve))


async def run(listening: socket.socket, *, serve: bool) -> None:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(serve_with(server, listening))
    visiting = asyncio.create_task(visit(f"http://127.0.0.1:{listening.getsockname()[1]}"))
    await asyncio.wait({serving, visiting}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = not serve or (visiting.done() and visiting.exception() is not None)
    await serving
    if visiting.done():
        visiting.result()


async def serve_with(server: uvicorn.Server, listening: socket.socket) -> None:
    with suppress(SystemExit):  # how uvicorn ends when the application does not start; its log says why
        await server.serve(sockets=[listening])
    if not server.started:
        raise click.ClickException("the application did not start")


async def visit(url: str) -> None:
    """Do what visitors do."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as web:
        run = secrets.token_hex(2)  # no title is taken twice, however often this is run
        photos = {f"Sunrise {run}": made(20), f"Sunset {run}": made(140), f"Letter {run}": b"Dear reader"}
        added = [(await web.post("/photos", params={"title": title}, content=data)).json() for title, data in photos.items()]
        for photo in added:
            print(f"Added     {photo['title']}")

        again = await web.post("/photos", params={"title": f"Sunrise {run}"}, content=made(20))
        left = await web.get(f"/operations/{again.json()['detail']['operation']}")
        print(f"Refused   {again.status_code}: {again.json()['detail']['error']}")
        print(f"Left of it: {left.json()['detail']}")

        for photo in added:
            state = (await web.get(f"/photos/{photo['id']}", params={"wait": 20})).json()
            print(f"{state['status']:9} {state['title']}: {state['result'] or state['error']}")
        page = (await web.get("/")).text
        print(f"The page at {url} shows {page.count('<li>')} photos, {page.count('<img')} with a thumbnail.", flush=True)


def made(angle: int) -> bytes:
    """A picture of a sun over a slope."""
    slope = Image.linear_gradient("L").rotate(angle).resize((800, 600))
    jpeg = BytesIO()
    Image.merge("RGB", (Image.radial_gradient("L").resize((800, 600)), slope, slope)).save(jpeg, "JPEG")
    return jpeg.getvalue()


if __name__ == "__main__":
    main(prog_name="python -m examples.fastapi_album")
