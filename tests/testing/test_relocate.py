"""An application made with its production address works on a test's database, for the time of a block."""

import asyncio
import threading
from pathlib import Path

import pytest

from opwright import ConfigurationError, Opwright, Status
from opwright.testing import TurnedClock, relocated, submitted
from tests.testing import shop

PRODUCTION = "postgresql://production.invalid/shop"


def address(folder: Path, name: str = "test") -> str:
    return f"sqlite:///{folder / name}.db"


def sqlite_threads() -> set[threading.Thread]:
    """Those of any database; tests before may have left some to their own loops."""
    return {thread for thread in threading.enumerate() if "sqlite" in thread.name}


async def test_within_the_block_operations_are_on_the_other_database(database_url: str) -> None:
    """Submits, handles, lists: all of it, on both engines."""
    async with relocated(shop.ops, database_url) as ops:
        assert ops is shop.ops
        handle = await shop.render.submit("cat")
        assert await handle.status() is Status.PENDING
        assert [one.id for one in await submitted(ops)] == [handle.id]
    assert shop.ops.client.url == PRODUCTION


async def test_triggers_with_options_move_too(tmp_path: Path) -> None:
    """Also those that were made when the application was imported."""
    async with relocated(shop.ops, address(tmp_path)):
        await shop.urgent.submit("cat")
        (one,) = await submitted(shop.ops)
        assert one.priority == 10


def test_synchronous_tests_write_a_plain_with(tmp_path: Path) -> None:
    """What `.now()` opened is closed at the end of the block: no thread of a database is left."""
    before = sqlite_threads()
    with relocated(shop.ops, address(tmp_path)):
        handle = shop.render.submit("cat").now()
        assert handle.status().now() is Status.PENDING
    assert sqlite_threads() <= before
    assert shop.ops.client.url == PRODUCTION


async def test_a_coroutine_opens_and_closes_its_own(tmp_path: Path) -> None:
    """A plain `with` could not close what the event loop has opened, so it is refused and says what to write."""
    before = sqlite_threads()
    with pytest.raises(RuntimeError, match="async with relocated"), relocated(shop.ops, address(tmp_path)):
        pass  # pragma: no cover
    async with relocated(shop.ops, address(tmp_path)):
        await shop.render.submit("cat")
        await asyncio.to_thread(lambda: shop.render.submit("dog").now())
    assert sqlite_threads() <= before


def test_what_a_loop_has_opened_is_closed_by_the_fixture_around_it(tmp_path: Path) -> None:
    """A plain fixture around asynchronous tests: their loop may be open or closed by then."""
    before = sqlite_threads()
    with relocated(shop.ops, address(tmp_path)):
        asyncio.run(_submit("closed"))
        loop = asyncio.new_event_loop()
        loop.run_until_complete(_submit("open"))
    loop.close()
    for thread in sqlite_threads() - before:
        thread.join(5)
        assert not thread.is_alive()


async def _submit(photo: str) -> None:
    await shop.render.submit(photo)


async def test_blocks_may_stand_within_each_other(tmp_path: Path) -> None:
    """Each has its own database, and at its end the one before is as it was, still open."""
    async with relocated(shop.ops, address(tmp_path, "outer")):
        await shop.render.submit("outer")
        async with relocated(shop.ops, address(tmp_path, "inner")):
            assert await submitted(shop.ops) == []
        (one,) = await submitted(shop.ops)
        assert one.inputs["photo"] == "outer"


async def test_the_clock_moves_along(tmp_path: Path) -> None:
    """By default it stays the application's own."""
    own, clock = shop.ops.client.clock, TurnedClock()
    async with relocated(shop.ops, address(tmp_path), clock=clock):
        assert shop.ops.client.clock is clock
        async with relocated(shop.ops, address(tmp_path)):
            assert shop.ops.client.clock is clock
    assert shop.ops.client.clock is own


async def test_computed_values_move_along(tmp_path: Path) -> None:
    """What was computed from one database is not shown of the other, and expires by the block's clock."""
    clock = TurnedClock()
    application = Opwright(PRODUCTION)
    runs = []

    @application.computed(auto_invalidate=10)
    async def where() -> str:
        runs.append(application.client.url)
        return application.client.url

    assert await where() == PRODUCTION
    async with relocated(application, address(tmp_path), clock=clock):
        assert await where() == address(tmp_path)
        clock.turn(10)
        await where()
    assert await where() == PRODUCTION
    assert len(runs) == 4


async def test_an_error_in_the_block_moves_it_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with relocated(shop.ops, address(tmp_path)):
            raise ZeroDivisionError
    assert shop.ops.client.url == PRODUCTION


async def test_an_address_that_cannot_work_moves_nothing() -> None:
    with pytest.raises(ConfigurationError):
        async with relocated(shop.ops, "mysql://localhost/x"):
            pass  # pragma: no cover
    assert shop.ops.client.url == PRODUCTION


async def test_other_applications_stay_where_they_are(tmp_path: Path) -> None:
    other = Opwright(address(tmp_path, "other"))
    async with relocated(shop.ops, address(tmp_path)):
        assert other.client.url == address(tmp_path, "other")
