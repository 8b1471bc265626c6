"""Mistakes that mypy and pyright must find: one on each marked line, of the kind that stands in its mark, and none elsewhere.

Each mark is an ``ignore``, so that this file passes like any other; the test takes the marks away and compares.
"""

from datetime import UTC, datetime

from opwright import Handle, Limit, Opwright, changes, operation
from opwright.testing import drain, running

ops = Opwright("sqlite:///never.db")


@ops.operation
def render(photo: str, width: int = 640) -> str:
    return f"{photo}-{width}"


@ops.operation(retries=3)
async def measure(photo: str) -> int:
    return len(photo)


async def wrong_inputs() -> None:
    """Arguments are checked like those of the function itself."""
    await render.submit(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await render.submit("cat", "wide")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await render.submit("cat", width="wide")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await render.submit()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await render.submit("cat", 5, 6)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await render.submit("cat", height=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await measure.submit(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await measure.options(priority=5).submit(photo=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await render.submit_many(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    render(photo=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def wrong_options() -> None:
    """Options have names and types."""
    render.options(delay="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    render.options(start_at="tonight")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    render.options(prio=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    render.options(key=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    render.options(retries="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    render.options(datetime(2030, 1, 1, tzinfo=UTC))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ops.operation(retrys=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    ops.operation(retries="5")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


async def wrong_results() -> None:
    """Results have the type of the function, awaited if it is async."""
    number: int = await (await render.submit("cat")).result()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    text: str = await (await measure.submit("cat")).result()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    handle: Handle[int] = await render.submit("cat")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    other: Handle[str] = measure.submit("cat").now()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    many: list[Handle[int]] = await render.submit_many([])  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    forgotten: Handle[str] = render.submit("cat")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(number, text, handle, other, many, forgotten)  # noqa: T201 - uses them
    await (await render.submit("cat")).result(timeout="long")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def wrong_settings() -> None:
    """Settings of a host too."""
    ops.host(workers="two")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ops.host(pool="threads")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ops.host(look_ahead=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ops.host(wrokers=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ops.submit(render)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Opwright(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def wrong_calls() -> None:
    """A call has the type of the function: what is asynchronous is awaited, what is not is not."""
    number: int = render("cat")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    length: int = measure("cat")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    text: str = await measure("cat")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    await render("cat")  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    print(number, length, text)  # noqa: T201 - uses them


async def wrong_words() -> None:
    """What a running operation says and asks."""
    operation.progress("half")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    operation.log(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    operation.wait("soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    operation.wait(5, 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    operation.current().retry(later=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


class Importer:
    """A submitter."""

    def handle(self, file: str) -> int:
        return len(file)


class Idle:
    """It does no work."""


imports = ops.submitter("imports", Importer())


async def wrong_followers() -> None:
    """Operations that follow others, submitters, queues, limits."""
    first = await render.submit("cat")
    render.options(after=first)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    render.options(after=["cat"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    await render.submit_many([], then="clean")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await imports.submit(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    other: Handle[str] = await imports.submit("a.csv")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    ops.submitter("idle", Idle())  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ops.submitter("other", Importer(), retries="5")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ops.operation(limit=5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    Limit("many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ops.queue(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(other)  # noqa: T201 - uses it


@ops.computed
async def total(customer: str) -> int:
    return len(customer)


class Shop:
    @ops.computed
    async def price(self, photo: str) -> float:
        return float(len(photo))


def plain(customer: str) -> int:
    return len(customer)


async def wrong_computed() -> None:
    """Cached functions are called, invalidated and followed with their own arguments."""
    await total(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await total()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await total.computed(customer=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    total.invalidate("Ada", 5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await Shop().price(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    changes(total, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    changes(plain, "Ada")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ops.computed(plain)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ops.computed(min_keep="long")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


async def wrong_tests() -> None:
    """What an application's tests use."""
    drain(render)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    drain(ops, with_delay=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    running(ops)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
