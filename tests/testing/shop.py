"""An application as its users have it: made when it is imported, with an address that no test may touch."""

import asyncio
import threading

from opwright import Limit, Opwright, operation

ops = Opwright("postgresql://production.invalid/shop")
done: list[str] = []
threads: set[int] = set()


@ops.operation
def render(photo: str, width: int = 640) -> str:
    threads.add(threading.get_ident())
    done.append(photo)
    return f"{photo}-{width}"


urgent = render.options(priority=10)


@ops.operation
async def publish(photo: str) -> int:
    """Submits what follows."""
    done.append(f"publish {photo}")
    await render.submit(photo, width=5)
    await render.submit(photo, width=6)
    return 2


@ops.operation
def publish_now(photo: str) -> None:
    """The same, synchronously."""
    done.append(f"publish {photo}")
    render.submit(photo).now()
    done.append("published")


@ops.operation
async def linger(turns: int) -> int:
    """Lets everybody else go on, so many times."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return turns


@ops.operation(retries=2, backoff=60)
def flaky(failures: int) -> int:
    """Raises so many times, then succeeds."""
    done.append("flaky")
    if done.count("flaky") <= failures:
        raise ValueError(f"failure {done.count('flaky')}")
    return done.count("flaky")


@ops.operation
async def forever() -> None:
    await forever.submit()


@ops.operation(name="break")
def break_(what: str) -> None:
    raise ValueError(f"{what} is broken")


@ops.operation
async def approve(invoice: str) -> str:
    operation.log(f"asking about {invoice}")
    return f"{invoice}: {operation.wait(60, times=2)}"


@ops.operation(limit=Limit(1, per=60))
def call(number: int) -> int:
    done.append(f"call {number}")
    return number
