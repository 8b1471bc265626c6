"""One trigger alone: a function, with a current operation around it and no database."""

import asyncio

import pytest

from opwright import InvalidOperation, NotInOperation, Opwright, operation
from opwright.testing import running

ops = Opwright("postgresql://production.invalid/shop")


@ops.operation
def render(photo: str) -> str:
    operation.log(f"rendering {photo}")
    for percent in (0, 50, 100):
        operation.progress(percent / 100, f"{percent} %")
    return f"{photo}, attempt {operation.current().attempt}"


@ops.operation
async def approve(text: str) -> str:
    first = operation.wait(60)
    second = operation.wait(times=2)
    return f"{text}: {first}, {second['by']}"


@ops.operation(retries=1)
def fetch() -> None:
    if not operation.cancelled():
        operation.retry(after=5, reason="nobody at home")


def test_what_it_says_is_kept() -> None:
    """Every line and every step, in order."""
    with running(render) as recorded:
        assert render("cat") == "cat, attempt 1"
    assert recorded.logged == ["rendering cat"]
    assert recorded.progressed == [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")]


def test_it_can_be_in_a_later_attempt() -> None:
    with running(render, attempt=3) as recorded:
        assert render("cat") == "cat, attempt 3"
    assert (recorded.current.trigger, recorded.current.attempt) == ("render", 3)


async def test_waits_get_the_answers_in_order() -> None:
    """As they would in the run that follows the last resume."""
    with running(approve, answers=["yes", {"by": "Ann"}]) as recorded:
        assert await approve("invoice") == "invoice: yes, Ann"
    assert recorded.waiting is None


async def test_a_wait_without_an_answer_ends_the_block() -> None:
    """As it ends an attempt; what it waits for can be asked."""
    with running(approve, answers=["yes"]) as recorded:
        await approve("invoice")
        pytest.fail("it did not wait")
    assert recorded.waiting is not None
    assert (recorded.waiting.seconds, recorded.waiting.times) == (None, 2)


def test_so_does_a_retry() -> None:
    with running(fetch) as recorded:
        fetch()
        pytest.fail("it did not ask for a retry")
    assert recorded.retrying is not None
    assert (recorded.retrying.after, recorded.retrying.reason) == (5, "nobody at home")


def test_it_can_be_asked_to_stop() -> None:
    with running(fetch) as recorded:
        recorded.cancel()
        fetch()
    assert recorded.retrying is None


def test_errors_pass() -> None:
    """The trigger's own, and those about what it says."""
    with pytest.raises(InvalidOperation, match="fraction"), running(render):
        operation.progress(2)


def test_nothing_runs_outside_of_the_block() -> None:
    with running(render):
        pass
    with pytest.raises(NotInOperation):
        render("cat")


async def test_blocks_of_concurrent_tests_do_not_meet() -> None:
    """Each coroutine has its own."""
    said: list[str] = []

    async def one(attempt: int) -> None:
        with running(render, attempt=attempt):
            await asyncio.sleep(0)
            said.append(render("cat"))

    await asyncio.gather(one(1), one(2))
    assert said == ["cat, attempt 1", "cat, attempt 2"]
