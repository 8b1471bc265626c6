"""Submits that return when their operation was carried out, through the database as ever."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from opwright import OperationFailed, Opwright, Status
from opwright.testing import drain, inline, submitted
from tests.testing import shop
from tests.testing.shop import approve, break_, done, linger, publish, publish_now, render


async def test_a_submit_returns_when_its_operation_was_carried_out(ops: Opwright) -> None:
    with inline(ops):
        handle = await render.submit("cat")
        assert done == ["cat"]
        assert await handle.status() is Status.SUCCEEDED
        assert [await each.result() for each in await render.submit_many([("a",), ("b",)])] == ["a-640", "b-640"]


async def test_after_the_block_submits_only_submit(ops: Opwright) -> None:
    with inline(ops):
        pass
    handle = await render.submit("cat")
    assert await handle.status() is Status.PENDING


def test_synchronous_code_runs_it_in_its_own_thread(sync_ops: Opwright) -> None:
    with inline(sync_ops):
        assert render.submit("cat").now().status().now() is Status.SUCCEEDED
    assert shop.threads == {threading.get_ident()}


async def test_synchronous_code_called_by_a_coroutine_does_too(ops: Opwright) -> None:
    with inline(ops):
        handle = render.submit("cat").now()
        assert await handle.status() is Status.SUCCEEDED
    assert shop.threads == {threading.get_ident()}


async def test_what_an_operation_submits_follows_it(ops: Opwright) -> None:
    """Not in the middle of it: no operation waits for another one to end."""
    with inline(ops):
        await publish.submit("cat")
    assert done == ["publish cat", "cat", "cat"]
    assert {one.status for one in await submitted(ops)} == {Status.SUCCEEDED}


async def test_also_if_it_submits_synchronously(ops: Opwright) -> None:
    with inline(ops):
        await publish_now.submit("cat")
        publish_now.submit("dog").now()
    assert done == ["publish cat", "published", "cat", "publish dog", "published", "dog"]


async def test_a_failure_reaches_the_submitter(ops: Opwright) -> None:
    """The operation keeps it as well."""
    with inline(ops), pytest.raises(OperationFailed, match="ValueError: the glass is broken"):
        await break_.submit("the glass")
    assert [one.status for one in await submitted(ops)] == [Status.FAILED]


async def test_unless_it_is_to_be_kept_only(ops: Opwright) -> None:
    with inline(ops, raises=False):
        handle = await break_.submit("the glass")
    assert await handle.status() is Status.FAILED


async def test_concurrent_submits_each_return_after_their_own(ops: Opwright) -> None:
    async def submit(turns: int) -> Status:
        return await (await linger.submit(turns)).status()

    await linger.submit(100)  # so that each might begin with what is another's
    with inline(ops):
        assert {*await asyncio.gather(submit(5000), submit(0))} == {Status.SUCCEEDED}


async def test_what_is_resumed_or_retried_goes_on_at_once(ops: Opwright) -> None:
    """These make work ready as a submit does."""
    with inline(ops):
        handle = await approve.submit("5")
        assert await handle.status() is Status.WAIT
        await handle.resume("yes")
        assert await handle.result() == "5: yes"
        again = await handle.retry()
        assert await again.status() is Status.WAIT


def test_in_a_transaction_of_the_caller_nothing_can_be_carried_out_yet(sync_ops: Opwright, sqlite_path: Path) -> None:
    """It is there after the commit: the next submit or drain has it carried out. A rollback takes it away."""
    refused = render.submit("first").now()  # makes the tables
    with inline(sync_ops), closing(sqlite3.connect(sqlite_path)) as connection:
        with connection:
            handle = render.options(on=connection).submit("cat").now()
            assert done == []
        assert handle.status().now() is Status.PENDING
        drain(sync_ops).now()
        assert handle.status().now() is refused.status().now() is Status.SUCCEEDED


async def test_an_operation_that_is_due_later_stays(ops: Opwright) -> None:
    with inline(ops):
        handle = await render.options(delay=60).submit("cat")
    assert (done, await handle.status()) == ([], Status.PENDING)
