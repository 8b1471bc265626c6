"""An ASGI application opens the database, or runs a host, exactly as long as it runs itself."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette

from opwright import ConfigurationError, Opwright, Status
from opwright.integrations.lifespan import lifespan
from tests.integrations.server import WebServer
from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import all_ended, is_alive
from tests.kit.tables import STOPPED, Tables
from tests.kit.waiting import eventually

FRAMEWORKS = ["fastapi", "starlette", "litestar"]
each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


@each_framework
async def test_a_host_lives_as_long_as_its_web_application(
    framework: str, application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """A request submits, a worker of the same server does it; SIGTERM lets it finish, and leaves neither host nor worker."""
    with WebServer(tmp_path, f"tests.integrations.web:{framework}", WITH_HOST="1") as server:
        await server.up()
        operation = await server.post("/hold/one")
        started = await diary.wait("start", "one", seconds=20)
        workers = server.below()
        assert started.pid in workers

        server.process.send_signal(signal.SIGTERM)
        await eventually(lambda: "Waiting for application shutdown" in server.log(), 10, "the lifespan's end")
        assert is_alive(started.pid)
        diary.release("one")
        await server.ended()

        await all_ended(workers, 5)
        assert "Application shutdown complete" in server.log()
    assert set((await tables.hosts()).values()) == {STOPPED}
    async with application.ops as ops:
        assert await ops.handle(operation).status() is Status.SUCCEEDED


@each_framework
async def test_without_a_host_the_application_only_submits(
    framework: str, tables: Tables, application: Application, tmp_path: Path
) -> None:
    """The database is opened before the first request, and no host is registered."""
    with WebServer(tmp_path, f"tests.integrations.web:{framework}") as server:
        await server.up()
        assert await tables.count("operations") == 0  # the tables are there
        await server.post("/hold/one")
        assert await tables.counts() == {"operations": 1, "ready": 1}
        assert server.below() == []


@each_framework
@pytest.mark.parametrize("host", [{}, {"WITH_HOST": "1"}], ids=["client", "host"])
async def test_a_database_that_is_away_ends_the_start_up(framework: str, host: dict[str, str], tmp_path: Path) -> None:
    """The server exits with its code for a failed start-up, and the log says in our words why."""
    away = "postgresql://me:secret@127.0.0.1:1/none"
    with WebServer(tmp_path, f"tests.integrations.web:{framework}", OPWRIGHT_URL=away, **host) as server:
        assert await server.ended() == 3
        assert "StoreUnavailable: PostgreSQL cannot be reached" in server.log()
        assert "secret" not in server.log()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_each_of_several_web_processes_has_a_host_of_its_own(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    with WebServer(tmp_path, "tests.integrations.web:fastapi", "--workers", "2", WITH_HOST="1") as server:
        await eventually(lambda: server.log().count("Application startup complete") == 2, 40, "both have started")
        assert len(await tables.hosts()) == 2
        await server.post("/note/one")
        await diary.wait("start", "one", seconds=20)
        below = server.below()
        assert diary.pids("one")[0] in below

        server.process.send_signal(signal.SIGTERM)
        await server.ended()
        await all_ended(below, 5)
    assert set((await tables.hosts()).values()) == {STOPPED}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_workers_of_a_web_process_end_with_it(application: Application, diary: Diary, tmp_path: Path) -> None:
    """Even when it is killed while one of them is busy."""
    with WebServer(tmp_path, "tests.integrations.web:fastapi", WITH_HOST="1") as server:
        await server.up()
        await server.post("/hold/one")
        started = await diary.wait("start", "one", seconds=20)
        server.process.kill()
        await server.ended()
        await all_ended([started.pid], 10)


RELOADED = """
from fastapi import FastAPI
from opwright import Opwright
from opwright.integrations.lifespan import lifespan

ops = Opwright("sqlite:///{path}")
app = FastAPI(lifespan=lifespan(ops.host(workers=2)))
"""


def reloads(server: WebServer, program: Path) -> bool:
    """Whether uvicorn has seen a change. What changes before its own first look is none to it, so until then there is another."""
    if "Reloading..." in server.log():
        return True
    times = program.stat()
    os.utime(program, ns=(times.st_atime_ns, times.st_mtime_ns + 1_000_000_000))
    return False


async def test_a_reload_leaves_no_worker_behind(sqlite_path: Path, tmp_path: Path) -> None:
    """The workers of the old program end before those of the new one begin, and a stop ends these."""
    folder = tmp_path / "application"
    folder.mkdir()
    program = folder / "reloaded.py"
    program.write_text(RELOADED.format(path=sqlite_path))
    tables = Tables(f"sqlite:///{sqlite_path}")
    with WebServer(tmp_path, "reloaded:app", "--reload", "--reload-dir", str(folder), "--app-dir", str(folder)) as server:
        await server.up()
        before = server.below()
        assert len(before) >= 3  # the web process and two workers

        program.write_text(RELOADED.format(path=sqlite_path) + "\n# changed\n")
        await eventually(lambda: reloads(server, program), 20, "the change was seen")
        await eventually(lambda: server.log().count("Application startup complete") == 2, 40, "it was reloaded")
        left = set(before) & set(server.below())
        assert len(left) <= 1  # what multiprocessing keeps beside every spawned process
        assert sorted((await tables.hosts()).values()) == [1, STOPPED]

        after = server.below()
        server.process.send_signal(signal.SIGINT)
        await server.ended()
        await all_ended({*before, *after}, 5)


async def test_your_own_lifespan_starts_first_and_ends_last(database_url: str) -> None:
    """What it opened is there while the host still lets operations finish."""
    ops = Opwright(database_url)
    told: list[str] = []

    begun, go_on = asyncio.Event(), asyncio.Event()

    @ops.operation
    async def last() -> None:
        begun.set()
        await go_on.wait()
        told.append("operation")

    @asynccontextmanager
    async def own(app: str) -> AsyncIterator[dict[str, str]]:
        told.append(f"opened for {app}")
        yield {"state": "mine"}
        told.append("closed")

    running = lifespan(ops.host(pool="inline"), within=own)("the application")
    assert await running.__aenter__() == {"state": "mine"}
    await last.submit()
    await begun.wait()
    leaving = asyncio.create_task(running.__aexit__(None, None, None))
    await asyncio.sleep(0)  # it is on its way
    go_on.set()
    await leaving
    assert told == ["opened for the application", "operation", "closed"]


async def test_an_application_can_be_started_again(database_url: str) -> None:
    """As tests of an application do; what its own lifespan yields reaches the framework each time."""
    ops = Opwright(database_url)

    @ops.operation
    async def double(number: int) -> int:
        return 2 * number

    @asynccontextmanager
    async def own(_: Starlette) -> AsyncIterator[dict[str, str]]:
        yield {"greeting": "hello"}

    app = Starlette(lifespan=lifespan(ops.host(pool="inline"), within=own))
    for _ in range(2):
        async with app.router.lifespan_context(app) as state:
            assert state == {"greeting": "hello"}
            assert await (await double.submit(21)).result(timeout=10) == 42


@pytest.mark.parametrize("wrong", [None, Opwright, "sqlite:///a.db"], ids=str)
def test_anything_else_is_refused_at_the_door(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"is neither an application nor a host: write lifespan\(ops\)"):
        lifespan(wrong)  # type: ignore[call-overload]
