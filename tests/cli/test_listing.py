"""Pages of operations by status and trigger, on both engines."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from opwright.cli.operations import _note
from opwright.clock import TurnedClock
from opwright.errors import OperationNotFound
from opwright.model.claim import DelayReason
from opwright.model.options import Options
from opwright.model.status import Status
from opwright.store.listing import Listing
from opwright.store.queue import Marked
from opwright.store.store import Store, engine_for
from tests.contract.kit import CANCELLATION, FAILURE, SUCCESS, Member, ids, join, operation, retry, wait


@pytest_asyncio.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(engine_for(database_url, TurnedClock()))
    await store.open()
    yield store
    await store.close()


async def _populated(store: Store) -> tuple[Member, dict[Status, list[int]]]:
    """Two operations in every status, one of each waiting in every way there is."""
    host, expected = await join(store), dict[Status, list[int]]()
    await store.operations.submit([operation() for _ in range(11)])
    claims = await host.claim(11)
    for status, verdict in ((Status.SUCCEEDED, SUCCESS), (Status.FAILED, FAILURE), (Status.CANCELLED, CANCELLATION)):
        ended, claims = claims[:2], claims[2:]
        await host.settle(*((claim, verdict) for claim in ended))
        expected[status] = ids(ended)
    await host.settle(*((claim, wait(claim)) for claim in claims[:2]), (claims[2], retry(claims[2])))
    expected[Status.WAIT] = ids(claims[:2])
    expected[Status.PROCESSING] = ids(claims[3:])
    new = [operation(), operation("other"), operation(wait=60_000_000), operation()]
    await store.operations.submit(new)
    (ahead,) = await host.claim(1, ahead=True)
    assert ahead.operation in [one.id for one in new]
    expected[Status.PENDING] = [claims[2].operation, *(one.id for one in new)]
    return host, expected


async def test_each_status_has_its_page(store: Store) -> None:
    _, expected = await _populated(store)
    listing = Listing(store.engine)
    for status in Status:
        page = await listing.page(100, status=status)
        assert {one.status for one in page} == {status}
        assert [one.id for one in page] == sorted(expected[status], reverse=True)
    everything = sorted((one for part in expected.values() for one in part), reverse=True)
    assert [one.id for one in await listing.page(100)] == everything


async def test_pages_follow_each_other_without_gap_or_double(store: Store) -> None:
    _, expected = await _populated(store)
    listing = Listing(store.engine)
    for status in (None, *Status):
        whole = [one.id for one in await listing.page(100, status=status)]
        walked: list[int] = []
        while page := await listing.page(1, status=status, before=walked[-1] if walked else None):
            walked += [one.id for one in page]
        assert walked == whole
    assert expected


async def test_a_trigger_is_found_in_every_status(store: Store) -> None:
    _, expected = await _populated(store)
    listing = Listing(store.engine)
    for status in Status:
        page = await listing.page(100, status=status, trigger="work")
        rest = await listing.page(100, status=status, trigger="other")
        assert sorted(one.id for one in (*page, *rest)) == sorted(expected[status])
        assert len(rest) == (status is Status.PENDING)


async def test_the_last_to_fail_comes_first(store: Store) -> None:
    host = await join(store)
    await store.operations.submit([operation(), operation()])
    first, second = await host.claim(2)
    assert isinstance(store.engine.clock, TurnedClock)
    await host.end(second, FAILURE)
    store.engine.clock.turn(1)
    await host.end(first, FAILURE)
    page = await Listing(store.engine).page(10, status=Status.FAILED)
    assert [one.id for one in page] == [first.operation, second.operation]


async def test_what_the_view_leaves_out(store: Store) -> None:
    host = await join(store, name="box:1")
    new = operation(options=Options(retries=3))
    await store.operations.submit([new])
    claim = await host.take()
    await store.operations.cancel(new.id, "enough")
    listing = Listing(store.engine)
    standing = await listing.standing(new.id)
    assert (standing.options, standing.reason, standing.host_name) == (Options(retries=3), None, "box:1")
    assert standing.cancel_asked == store.engine.clock.stamp()
    await host.end(claim, retry(claim))
    assert (await listing.standing(new.id)).reason is DelayReason.RETRY
    with pytest.raises(OperationNotFound):
        await listing.standing(1)


async def test_what_runs_for_long_says_so_in_the_list(store: Store) -> None:
    host = await join(store)
    await store.operations.submit([operation(), operation()])
    long, short = await host.claim(2)
    await store.queue.mark([Marked(long.operation, long.token, 42, 1_000_000, 1_000_000)])
    page = {one.id: one for one in await Listing(store.engine).page(10, status=Status.PROCESSING)}
    started = page[long.operation].started
    assert started is not None
    assert _note(page[long.operation], started + timedelta(hours=2)) == "runs for 2 h"
    assert not _note(page[short.operation], started + timedelta(hours=2))


async def test_ready_work_is_counted_by_queue_and_trigger(store: Store) -> None:
    new = [operation(), operation(), operation("other", queue="mail")]
    await store.operations.submit(new)
    work = await Listing(store.engine).ready_work()
    assert [tuple(one) for one in work] == [("default", "work", 2, new[0].id), ("mail", "other", 1, new[2].id)]
