"""Retries with growing pauses, delays, priorities, and keys that keep the same work from being done twice."""  # noqa: N999

import asyncio
import itertools
import time

from opwright import Backoff, OperationFailed, Opwright

ops = Opwright("sqlite:///retries.db")
attempts = itertools.count(1)  # of the one worker process


@ops.operation(retries=3, backoff=Backoff(first=0.2, factor=2, jitter=0))
def flaky(name: str) -> str:
    attempt = next(attempts)
    if attempt < 3:
        raise ConnectionError(f"attempt {attempt}: nobody answers")
    return f"{name} arrived with attempt {attempt}"


@ops.operation(retries=1, backoff=0.1)
def hopeless() -> None:
    raise ConnectionError("nobody will ever answer")


@ops.operation
def stamp(what: str) -> tuple[str, float]:
    return what, time.time()


async def main() -> None:
    async with ops:  # a client can submit while no host is there
        low = await stamp.submit("low priority, submitted first")
        high = await stamp.options(priority=10).submit("high priority, submitted second")

        first = await stamp.options(key="nightly").submit("one of a kind")
        second = await stamp.options(key="nightly", on_conflict="skip").submit("one of a kind, again")
        late = await stamp.options(delay=1.0).submit("a second later")
        print("The key gave the operation that was already there:", first == second)

    async with ops.host(workers=1):
        ended = [await handle.result(timeout=30) for handle in (low, high, first, late)]
        print("In the order in which they ran:", *(what for what, _ in sorted(ended, key=lambda one: one[1])), sep="\n  ")

        print(await (await flaky.submit("the letter")).result(timeout=30))
        try:
            await (await hopeless.submit()).result(timeout=30)
        except OperationFailed as error:
            print("After its retry:", str(error).splitlines()[0])


if __name__ == "__main__":
    asyncio.run(main())
