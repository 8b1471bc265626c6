"""What triggers wrote down, and the gates that they wait at: files in one folder that every process of a test knows."""

import os
import time
from pathlib import Path
from typing import NamedTuple

from tests.kit.waiting import eventually

FOLDER = "OPWRIGHT_TEST_FOLDER"


class Line(NamedTuple):
    """Something that a trigger did: in which process, and when."""

    event: str
    name: str
    pid: int
    at: float


class Diary:
    """One line per event. Lines of several processes do not mix: each is one short write to a file opened for appending."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "diary"

    @classmethod
    def found(cls) -> "Diary":
        """The diary of the test that started this process."""
        return cls(Path(os.environ[FOLDER]))

    def write(self, event: str, name: str) -> None:
        line = f"{event} {name} {os.getpid()} {time.time()!r}\n"
        file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def lines(self, event: str | None = None, name: str | None = None) -> list[Line]:
        """What was written, in order; of one event, of one name."""
        if not self._file.exists():
            return []
        fields = [line.split() for line in self._file.read_text().splitlines()]
        lines = [Line(one, other, int(pid), float(at)) for one, other, pid, at in fields]
        return [line for line in lines if event in {None, line.event} and name in {None, line.name}]

    def pids(self, name: str) -> list[int]:
        """The process of every start."""
        return [line.pid for line in self.lines("start", name)]

    async def wait(self, event: str, name: str, count: int = 1, seconds: float = 10.0) -> Line:
        """The ``count``-th such line, as soon as it is written."""
        what = f"{event} {name}, {count} times"
        await eventually(lambda: len(self.lines(event, name)) >= count, seconds, what)
        return self.lines(event, name)[count - 1]

    def is_first(self, name: str) -> bool:
        """Whether nobody has asked this of the name before."""
        try:
            (self._folder / f"{name}.first").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def release(self, name: str, pid: int | None = None) -> None:
        """Let pass who waits under this name: all, or one process."""
        self._gate(name, pid).touch()

    def is_released(self, name: str) -> bool:
        return self._gate(name, None).exists() or self._gate(name, os.getpid()).exists()

    def _gate(self, name: str, pid: int | None) -> Path:
        return self._folder / (f"{name}.go" if pid is None else f"{name}.{pid}.go")
