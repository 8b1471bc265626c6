"""What each worker does before it is ready, and when it leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from opwright import ConfigurationError, Opwright
from tests.workers.conftest import host_inside
from tests.workers.host import Host, environment, gone

UP = ["first up", "second up", "third up", "fourth up"]
DOWN = ["second down", "first down"]


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process and the workers that it starts write what they do."""
    path = tmp_path / "diary"
    monkeypatch.setenv("TEST_DIARY", str(path))
    return path


def whole(diary: Path) -> list[str]:
    return diary.read_text().splitlines() if diary.exists() else []


def lines(diary: Path) -> list[str]:
    """What was written about preparing; the loop's number is left out."""
    return [line.split(" in ")[0] for line in whole(diary) if "up" in line or "down" in line]


@pytest.mark.parametrize("kind", ["processes", "slots", "inline"])
async def test_a_worker_is_set_up_before_it_is_ready_and_torn_down_at_the_stop(host: Host, kind: str, diary: Path) -> None:
    """In the order of registration, and in the reverse."""
    await host_inside(host, kind, room=1)
    assert lines(diary) == UP
    await host.run("describes")
    await host.pool.stop(10, 10)
    assert lines(diary) == UP + DOWN


async def test_each_worker_process_is_set_up_and_torn_down_by_itself(host: Host, diary: Path) -> None:
    await host_inside(host, "processes", room=2)
    await host.pool.stop(10, 10)
    assert sorted(lines(diary)) == sorted((UP + DOWN) * 2)


async def test_a_worker_is_torn_down_when_it_is_replaced(host: Host, diary: Path) -> None:
    await host.heated(1, program="inside", recycle_after=1)
    (old,) = host.pool.workers()
    await host.run("describes")
    await gone(old.pid or 0)
    await host.until(host.pool.free)
    assert sorted(lines(diary)) == sorted(UP + DOWN + UP)


async def test_a_worker_that_was_killed_tears_nothing_down(host: Host, diary: Path) -> None:
    await host_inside(host, "processes", room=1)
    host.pool._children[0].kill()  # type: ignore[attr-defined]
    await host.until(lambda: host.named("worker.died") and host.pool.free())
    assert lines(diary) == UP + UP


async def test_async_functions_run_in_the_loop_of_the_triggers(host: Host, diary: Path) -> None:
    await host_inside(host, "inline", room=1)
    assert f"second up in {id(asyncio.get_running_loop())}" in whole(diary)


async def test_a_set_up_that_fails_breaks_the_worker(host: Host, diary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = host.processes(1, program="inside", env=environment(TEST_SET_UP="fails", TEST_DIARY=str(diary)))
    await pool.start()
    await host.until(lambda: host.named("worker.broken"))
    assert "RuntimeError: no cache today" in host.named("worker.broken")[0]["error"]
    assert not pool.free()


async def test_a_set_up_that_fails_keeps_a_pool_in_process_from_starting(
    host: Host, diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SET_UP", "fails")
    with pytest.raises(RuntimeError, match="no cache today"):
        await host_inside(host, "inline")
    monkeypatch.delenv("TEST_SET_UP")
    await host_inside(host, "inline")
    assert lines(diary) == ["first up", *UP]


async def test_a_tear_down_that_fails_is_logged_and_the_others_have_their_turn(
    host: Host, diary: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEST_TEAR_DOWN", "fails")
    await host_inside(host, "processes", room=1)
    await host.pool.stop(10, 10)
    assert lines(diary) == UP + DOWN
    told = capfd.readouterr().err
    assert "second could not be torn down" in told
    assert "RuntimeError: it would not close" in told


async def test_pools_of_one_process_share_what_was_set_up(diary: Path) -> None:
    """The last one to stop tears it down."""
    ops, story = Opwright("sqlite:///never.db"), []

    @ops.worker
    def cache() -> Any:
        story.append("up")
        yield
        story.append("down")

    await asyncio.gather(ops.registry.set_up(), ops.registry.set_up())
    await ops.registry.tear_down()
    assert story == ["up"]
    await ops.registry.tear_down()
    assert story == ["up", "down"]
    await ops.registry.set_up()
    assert story == ["up", "down", "up"]


async def test_what_was_set_up_is_torn_down_when_what_follows_fails() -> None:
    ops, story = Opwright("sqlite:///never.db"), []

    @ops.worker
    async def first() -> Any:
        yield
        story.append("down")

    @ops.worker
    def second() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await ops.registry.set_up()
    assert story == ["down"]


async def test_what_does_not_yield_once_is_told_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    ops = Opwright("sqlite:///never.db")

    @ops.worker
    def twice() -> Any:
        yield
        yield

    await ops.registry.set_up()
    await ops.registry.tear_down()
    assert "twice yielded more than once" in caplog.text

    @ops.worker
    def never() -> Any:
        yield from ()

    with pytest.raises(ConfigurationError, match="never did not yield"):
        await ops.registry.set_up()


def test_what_cannot_prepare_a_worker_is_refused_at_once() -> None:
    ops = Opwright("sqlite:///never.db")
    with pytest.raises(ConfigurationError, match="takes parameters"):
        ops.worker(lambda one=1: None)
    with pytest.raises(ConfigurationError, match="is no function"):
        ops.worker(dict)
    from contextlib import contextmanager

    with pytest.raises(ConfigurationError, match=r"wrapped, as by @contextmanager"):

        @ops.worker
        @contextmanager
        def cache() -> Any:
            yield
