"""Start the shop twice on one database, order on the first, look at the second: `python -m examples.shop [--serve]`."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import click
import httpx
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from examples.shop.database import STOCK, address, prepare

PATIENCE = 20.0


@click.command()
@click.option("--serve", is_flag=True, help="Go on serving afterwards, until Ctrl-C.")
def main(*, serve: bool) -> None:
    """Start two hosts of the shop, place orders on the first, and print what the second shows."""
    try:
        asyncio.run(prepare())
    except (OSError, SQLAlchemyError) as error:  # better here, in a line, than in the start-up of both
        raise click.ClickException(f"the database {address} cannot be used: {error}") from None
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        first, second = [stack.enter_context(served()) for _ in range(2)]
        asyncio.run(visit(first, second))
        if serve:
            click.echo(f"Open {first} and {second}.")
            signal.pause()


@contextmanager
def served() -> Iterator[str]:
    """The address of the shop in a process of its own, once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        command = [sys.executable, "-m", "examples.shop.server", str(listening.fileno())]
        process = subprocess.Popen(command, pass_fds=[listening.fileno()], start_new_session=True)
    try:
        httpx.get(f"{url}/overview", timeout=PATIENCE)  # it waits for the start-up
        yield url
    except httpx.TransportError:
        raise click.ClickException("the shop did not start") from None
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


async def visit(first: str, second: str) -> None:
    """Order here, look there."""
    async with (
        httpx.AsyncClient(base_url=first, timeout=PATIENCE) as here,
        httpx.AsyncClient(base_url=second, timeout=PATIENCE) as there,
        there.stream("GET", "/events") as answer,
    ):
        shown = states(answer)
        before = cups(await anext(shown))
        click.echo(f"The second host shows {before['sold']} cups sold, {before['left']} left.")

        began = time.perf_counter()
        number = (await here.post("/orders", json={"product": "cup", "pieces": 2})).json()
        after = await until(shown, lambda cup: cup["sold"] == before["sold"] + 2)
        milliseconds = (time.perf_counter() - began) * 1000
        click.echo(f"The first host took order {number}, of 2 cups.")
        click.echo(f"The second host shows {after['sold']} sold, {after['left']} left, {milliseconds:.0f} ms after the request.")
        if after["confirmed"] < after["sold"]:  # a page that is slow is sent the latest state only
            after = await until(shown, lambda cup: cup["confirmed"] == cup["sold"])
        click.echo(f"An event has confirmed them: {after['confirmed']}.")

        refused = await here.post("/orders", json={"product": "cup", "pieces": STOCK + 1})
        click.echo(f"Refused: {refused.status_code}, {refused.json()['detail']}.")
        async with here.stream("GET", "/events") as own:  # who did not confirm them hears of it a moment later
            await until(states(own), lambda cup: cup["confirmed"] == cup["sold"])
        same = [(await one.get("/overview")).json() for one in (here, there)]
        click.echo(f"Both hosts show the same: {same[0] == same[1]}, a turnover of {same[0]['cents'] / 100:.2f}.")


async def states(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """What the server sends: each event is a line."""
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield msgspec.json.decode(line.removeprefix("data: "))


async def until(shown: AsyncIterator[dict[str, Any]], check: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first line of the cups for which it holds."""
    async with asyncio.timeout(PATIENCE):
        while not check(cup := cups(await anext(shown))):
            pass
    return cup


def cups(state: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = state["lines"][0]
    return line


if __name__ == "__main__":
    main(prog_name="python -m examples.shop")
