"""The log watcher of a shared folder: files that are touched, a bell where there is one, the files' times where not."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from opwright import ConfigurationError, FileSystemDbLogWatcher, Opwright
from opwright.store.engine import Engine
from opwright.telemetry import recorded
from opwright.watch import file_system_log
from opwright.watch.bell import TOUCHED, Bell
from opwright.watch.file_system_log import KEPT, MISSES
from tests.watch.log_kit import Fleet, FolderPlace, Process, reached


@pytest_asyncio.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Processes that share a folder."""
    made = Fleet(FolderPlace(tmp_path))
    yield made
    await made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder."""
    return tmp_path / "watch"


def files(folder: Path) -> dict[str, int]:
    """What lies there, all of it empty, and when it was touched."""
    found = {path.name: path.stat() for path in folder.iterdir()}
    assert all(one.st_size == 0 for one in found.values())
    return {name: one.st_mtime_ns for name, one in found.items()}


async def test_a_commit_touches_the_file_of_its_process(fleet: Fleet, folder: Path) -> None:
    """An empty one, and nothing else; who commits nothing has none."""
    first, second = await fleet.started(2)
    await second.hears(first)
    (touched,) = files(folder).items()
    assert touched[0] == "opwright-1000"
    await second.hears(first)
    (again,) = files(folder).items()
    assert again > touched


async def test_it_wakes_when_any_program_touches_a_file_there(fleet: Fleet, folder: Path) -> None:
    """Its own file wakes nobody in its own process, and neither do files of other names."""
    (first,) = await fleet.started(1)
    (folder / "opwright-1000").touch()
    (folder / "notes.txt").touch()
    (folder / "opwright-7").touch()
    await reached(lambda: first.wakes == 2, "the touch")
    assert first.wakes == 2


async def test_what_rings_no_bell_is_seen_all_the_same(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that tells of the touches of this machine only: after some misses the files' times are compared instead."""
    monkeypatch.setattr(file_system_log, "REST", 0.01)
    first, second = await fleet.started(2)
    first.watcher._ear._ring = lambda: None  # type: ignore[attr-defined]
    await first.watcher.stop()
    monkeypatch.setattr(file_system_log._Ear, "_ring", lambda ear: ear._bell and ear._bell.rung())
    with recorded() as events:
        await first.start()
        for _ in range(MISSES):
            await first.hears(second)
        await reached(lambda: "watcher.deaf" in [name for name, _ in events], "it notices")
    assert first.watcher._ear._bell is None  # type: ignore[attr-defined]
    await first.hears(second)


@pytest.mark.parametrize("kind", ["nfs4", "cifs"])
async def test_on_a_network_mount_no_bell_is_hung(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The kernel would tell of the touches of this machine only."""
    monkeypatch.setattr(file_system_log, "file_system", lambda _: kind)
    hung: list[object] = []
    monkeypatch.setattr(Bell, "at", lambda *place: hung.append(place))
    first, second = await fleet.started(2)
    await first.hears(second)
    assert not hung


async def test_files_of_processes_that_are_gone_are_swept(fleet: Fleet, folder: Path) -> None:
    """Those last touched ten minutes ago or more, by the clock of the file system, at the first commit after a start."""
    first, second = await fleet.started(2)
    for name, age in (("opwright-7", KEPT + 60), ("opwright-8", KEPT / 2), ("notes.txt", 2 * KEPT)):
        (folder / name).touch()
        moment = (folder / name).stat().st_mtime - age
        os.utime(folder / name, (moment, moment))
    await second.hears(first)
    await reached(lambda: set(files(folder)) == {"notes.txt", "opwright-8", "opwright-1000"}, "the sweep")


async def test_a_process_whose_file_was_swept_makes_it_anew(fleet: Fleet, folder: Path) -> None:
    """It had nothing to say for long."""
    first, second = await fleet.started(2)
    await second.hears(first)
    (folder / "opwright-1000").unlink()
    await second.hears(first)
    assert (folder / "opwright-1000").exists()


@pytest.mark.parametrize("wrong", ["missing/watch", "file", "file/watch"])
async def test_a_folder_that_cannot_be_is_refused_at_the_start(tmp_path: Path, wrong: str) -> None:
    """Its parent is missing, or a file is in the way."""
    (tmp_path / "file").touch()
    watcher = FileSystemDbLogWatcher(lambda: 7, tmp_path / wrong)
    with pytest.raises(ConfigurationError, match=str(tmp_path / wrong)):
        await watcher.check()
    with pytest.raises(ConfigurationError, match=str(tmp_path / wrong)):
        await watcher.start(lambda: None)
    await watcher.stop()


async def test_a_folder_that_is_away_at_the_start_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What no setting could mend, a full disk for example, may pass. Here it is a name that is too long."""
    watcher = FileSystemDbLogWatcher(lambda: 7, tmp_path / ("x" * 300))
    await watcher.start(lambda: None)
    await reached(lambda: len(caplog.records) == 1, "the line of who listens")
    await watcher.stop()
    assert "cannot be used: File name too long; trying again" in caplog.messages[0]


async def test_a_check_makes_no_folder(tmp_path: Path) -> None:
    """It is asked whether it could be made."""
    assert await FileSystemDbLogWatcher(lambda: 7, tmp_path / "shared").check() == f"the folder {tmp_path / 'shared'}"
    assert files(tmp_path) == {}


async def test_a_folder_that_goes_away_is_told_by_its_name(fleet: Fleet, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once by who listens, once by who touches."""
    (first,) = await fleet.started(1)
    await fleet.place.go_away()
    first.watcher._ear.wake()  # type: ignore[attr-defined]
    await reached(lambda: len(caplog.records) == 1, "the line of who listens")
    await first.commits()
    await reached(lambda: len(caplog.records) == 2, "the line of who touches")
    await fleet.place.come_back()
    gone = f"the folder {folder} cannot be used: No such file or directory"
    polled = "other processes are not told of commits and find them by polling"
    assert [record.getMessage() for record in caplog.records] == [
        f"file system log watcher: {gone}; trying again",
        f"file system log watcher: {polled}: {gone}",
    ]


async def test_a_folder_that_may_not_be_written_to_is_refused_at_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser may write anywhere, so the answer of the system is given here."""
    await FileSystemDbLogWatcher(lambda: 7, folder)._open()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder or not mode & os.W_OK)
    with pytest.raises(ConfigurationError, match="cannot be written to by this process"):
        await FileSystemDbLogWatcher(lambda: 7, folder).start(lambda: None)


async def test_without_anybody_touching_it_hardly_ever_looks(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bell is silent, and one look per second makes sure of it."""
    (first,) = await fleet.started(1)
    assert await first.watcher._ear.run_once() == 1.0  # type: ignore[attr-defined]


async def test_the_bell_names_what_was_touched(tmp_path: Path) -> None:
    """So that a process need not look at the others because of its own touch."""
    bell = Bell.at(tmp_path, TOUCHED)
    assert bell
    assert bell.touched() == set()
    for name in ("opwright-1", "opwright-" + "2" * 60):
        (tmp_path / name).touch()
        os.utime(tmp_path / name)
    assert bell.touched() == {"opwright-1", "opwright-" + "2" * 60}
    assert bell.touched() == set()
    bell.close()


async def test_nobody_looks_because_of_its_own_touch(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has nothing to find."""
    looks, look = list[str](), file_system_log._look

    def counted(folder: Path, own: str) -> dict[str, int]:
        looks.append(own)
        return look(folder, own)

    monkeypatch.setattr(file_system_log, "REST", 60.0)
    monkeypatch.setattr(file_system_log, "_look", counted)
    first, second = await fleet.started(2)
    await second.hears(first)
    await reached(lambda: first.watcher._swept, "the end of the sweep, which looks at all files")  # type: ignore[attr-defined]
    looks.clear()
    for _ in range(3):
        await second.hears(first)
    assert set(looks) == {"opwright-1001"}


async def test_on_sqlite_it_is_there_without_being_asked_for(sqlite_path: Path) -> None:
    """In a folder beside the file: no extra, no server. A second program on the file meets it there."""
    ops, other = Opwright(f"sqlite:///{sqlite_path}"), Opwright(f"sqlite:///{sqlite_path}")
    async with ops, other:
        here, there = [Process(one.commander.log_watcher(await _engine(one))) for one in (ops, other)]
        assert isinstance(here.watcher, FileSystemDbLogWatcher)
        await asyncio.gather(here.start(), there.start())
        await there.hears(here)
        await here.hears(there)
        await asyncio.gather(here.watcher.stop(), there.watcher.stop())
    assert len(files(Path(f"{sqlite_path}-watch"))) == 2


async def _engine(ops: Opwright) -> Engine:
    return (await ops.client.store()).engine
