"""What every log watcher promises, whatever carries its messages."""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable
from contextlib import nullcontext
from typing import Any

import pytest

from opwright import ConfigurationError
from opwright.telemetry import recorded
from tests.watch.conftest import FOLDERS, KINDS
from tests.watch.log_kit import Fleet, RedisPlace, open_files, reached

pytestmark = pytest.mark.parametrize("kind", KINDS)

SILENT = "other processes are not told"


async def test_the_others_are_woken_and_the_own_message_is_ignored(fleet: Fleet) -> None:
    """After a commit every other process is woken; when the next one commits, nobody has had a message too many."""
    first, second, third = await fleet.started(3)
    await second.hears(first)
    await reached(lambda: third.wakes == 2, "the message at the third")
    await first.hears(second)  # its own message came before this one, and was for nobody
    assert first.wakes == 2


async def test_a_burst_is_one_message_or_two(fleet: Fleet) -> None:
    """A hundred commits in a row: the first is told at once, those that follow together."""
    first, second, third = await fleet.started(3)
    for _ in range(100):
        await first.commits()
    await first.watcher.stop()  # nothing of it is still to come
    await second.hears(third)
    await reached(lambda: second.wakes >= 2, "the burst")
    assert second.wakes <= 1 + 2 + 1


async def test_what_is_due_is_sent_by_stop(fleet: Fleet) -> None:
    """A program that commits and ends at once has told the others."""
    first, second = await fleet.started(2)
    await first.commits()
    await first.watcher.stop()
    await reached(lambda: second.wakes == 2, "the message")


async def test_a_cut_connection_comes_back_with_a_wake(fleet: Fleet) -> None:
    """Messages may have been lost: the reader is to look, and hears again."""
    first, second = await fleet.started(2)
    before = [one.wakes for one in (first, second)]
    await fleet.place.cut()
    await reached(lambda: first.wakes > before[0] and second.wakes > before[1], "the wake after the cut")
    await second.hears(first)
    await first.hears(second)


async def test_a_server_that_is_away_is_told_once_and_disturbs_nobody(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """``changed()`` never raises; one line says that nobody is told; with the server everything is back."""
    caplog.set_level(logging.WARNING, "opwright")
    first, second = await fleet.started(2)
    await second.hears(first)
    await fleet.place.go_away()
    try:
        with recorded() as events:
            for attempts in (1, 2, 3):
                await first.commits()
                await reached(lambda: _named("watcher.silent", events) >= attempts, "the attempt")  # noqa: B023 - waits here
    finally:
        await fleet.place.come_back()
    assert _lines(caplog) == 1
    await second.hears(first)
    await first.hears(second)
    assert _lines(caplog) == 1


async def test_it_starts_while_the_server_is_away(fleet: Fleet, kind: str) -> None:
    """It is there when the server is. A folder has none: one that cannot be made is refused, and may be there the next time."""
    (first,) = await fleet.started(1)
    second = await fleet.process()
    await fleet.place.go_away()
    try:
        with pytest.raises(ConfigurationError) if kind in FOLDERS else nullcontext():
            await second.watcher.start(second.wake)
    finally:
        await fleet.place.come_back()
    await second.watcher.start(second.wake)
    await reached(lambda: second.wakes > 0, "the first connection")
    await second.hears(first)


async def test_stop_leaves_nothing_open(fleet: Fleet) -> None:
    """No descriptor and no task. Twice is harmless, so is before the start; it may be started again."""
    first, second = await fleet.started(2)
    await second.hears(first)
    await first.hears(second)
    third = await fleet.process()
    await third.watcher.stop()
    third_files, tasks = open_files(), asyncio.all_tasks()
    await third.start()
    await third.watcher.start(third.wake)
    await third.hears(first)
    await third.watcher.stop()
    await third.watcher.stop()
    await reached(lambda: asyncio.all_tasks() <= tasks, "every task has ended")
    await reached(lambda: open_files() <= third_files, "every descriptor is closed")
    await third.start()
    await third.hears(first)


async def test_after_stop_and_before_start_nothing_is_sent(fleet: Fleet) -> None:
    """Whoever does not listen says nothing."""
    first, second, third = await fleet.started(3)
    await first.watcher.stop()
    await first.commits()
    await (await fleet.process()).commits()
    await second.hears(third)
    assert second.wakes == 2


async def test_a_stopped_watcher_wakes_nobody(fleet: Fleet) -> None:
    """A message on its way when it stops is lost on purpose."""
    first, second, third = await fleet.started(3)
    await second.watcher.stop()
    await third.hears(first)
    assert second.wakes == 1


async def test_another_process_is_heard(fleet: Fleet, kind: str) -> None:
    """A program of its own, with the same kind of watcher."""
    (here,) = await fleet.started(1)
    where = getattr(fleet.place, "url", None) or f"file:{getattr(fleet.place, 'folder', '')}"
    speaker = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.watch.speaker", where)
    assert await speaker.wait() == 0
    await reached(lambda: here.wakes == 2, "the message")


BOUNDS = {"postgresql": 0.010, "redis": 0.001, "file": 0.100, "file without bell": 0.100}
DEARER = 5  # times what a bare message takes, for a machine on which that takes most of the bound


async def test_a_signal_passes_within_the_bound_of_the_seed(fleet: Fleet, kind: str) -> None:
    """The quickest tenth: what else the machine does meanwhile belongs to the benchmarks, which have medians.

    Redis alone is so quick that a slow machine needs most of the bound for a bare message.
    """
    first, second = await fleet.started(2)
    seconds, bare = list[float](), list[float]()
    async with fleet.place.bare() if isinstance(fleet.place, RedisPlace) else nullcontext() as passed:
        for _ in range(40):
            await reached(lambda: first.watcher._notifier._resting is None, "the end of the rest")  # type: ignore[attr-defined]
            seconds.append(await _took(second.hears(first)))
            bare.append(await _took(passed()) if passed else 0.0)
    assert sorted(seconds)[3] < max(BOUNDS[kind], DEARER * sorted(bare)[3])


async def _took(work: Awaitable[None]) -> float:
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


def _lines(caplog: pytest.LogCaptureFixture) -> int:
    return [SILENT in record.getMessage() for record in caplog.records].count(True)


def _named(name: str, events: list[tuple[str, dict[str, Any]]]) -> int:
    return [one for one, _ in events].count(name)
