"""The host's side of one worker process: its channel, what it holds, and its death."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import NamedTuple, Protocol, cast

from opwright.clock import MILLISECOND, SystemClock
from opwright.model.worker import Remark, StatusUpdate, Task, Worker, WorkerState
from opwright.telemetry import emit
from opwright.workers.channel import (
    BadFrame,
    Broken,
    Cancel,
    Ended,
    Give,
    Hello,
    Leave,
    Leaving,
    Memory,
    Ready,
    Recall,
    Said,
    ToHost,
    ToWorker,
    frames,
    host_reader,
)
from opwright.workers.failure import exit_text
from opwright.workers.ledger import Ledger
from opwright.workers.marks import Marks
from opwright.workers.pool import Running

FAREWELL = 10.0  # seconds that a worker which was told to leave has for its own clean-up
LATE = 100 * MILLISECOND  # that what was measured below 5 ms may run before nothing waits behind it any more
RECEIVED_AT_ONCE = 256 * 1024  # bytes

_now = SystemClock().now


class Limits(NamedTuple):
    """When a worker is replaced by a fresh one: after so many operations, beyond so many resident bytes."""

    operations: int | None = None
    memory: int | None = None


class Owner(Protocol):
    """The pool, as its workers see it."""

    def on_updates(self, updates: list[StatusUpdate]) -> None: ...

    def on_remarks(self, remarks: list[Remark]) -> None: ...

    def on_room(self) -> None: ...

    def on_dead(self, child: Child) -> None: ...


class Child(asyncio.Protocol):
    """One worker process. Made by starting it; ``connect`` opens its channel.

    ``heated`` is done when it is ready (None) or never will be (why not); ``replaceable`` when another should be started.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[int], list[str]],
        env: Mapping[str, str] | None,
        limits: Limits,
        owner: Owner,
    ) -> None:
        self.name = name
        self.ledger = Ledger(0)
        self.retiring = False
        self._limits = limits
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.heated: asyncio.Future[str | None] = self._loop.create_future()
        self.replaceable: asyncio.Future[str | None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._reader = host_reader()
        self._outgoing: list[ToWorker] = []
        self._congested = self._leaving = self._dead = False
        self._fault: str | None = None
        self._marks = Marks.new()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(0)
        with theirs:
            self.process = self._spawned(command, theirs.fileno(), env)
        self._touched = _now()
        self.pid = self.process.pid
        emit("worker.started", worker=name, pid=self.pid)

    def _spawned(self, command: Callable[[int], list[str]], fd: int, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(command(fd), pass_fds=(fd, self._marks.fd), stdin=subprocess.DEVNULL, env=env)
        except BaseException:
            self._socket.close()
            self._marks.close()
            raise

    async def connect(self) -> None:
        """Open the channel; from then on its death is noticed too. Where the machine refuses that, it dies at once."""
        try:
            await self._loop.create_unix_connection(lambda: self, sock=self._socket)
        except OSError as refused:
            self._fault = f"its channel could not be opened: {refused}"
            self.kill()
        finally:
            self._watch()

    def _watch(self) -> None:
        try:
            Thread(target=self._await_exit, name=f"opwright {self.name}", daemon=True).start()
        except RuntimeError as refused:  # the machine gives no thread
            self._fault = f"nobody could watch over it: {refused}"
            self.kill()
            self._await_exit()

    # ------------------------------------------------------------------------------------ what it is and does

    @property
    def state(self) -> WorkerState | None:
        """Where it stands; ``None`` when it belongs to no set: it was told to leave, or is dead."""
        if self._dead or self._leaving:
            return None
        if not self.ledger.slots:
            return WorkerState.PENDING
        return WorkerState.ACTIVE if self.ledger else WorkerState.FREE

    def worker(self, state: WorkerState) -> Worker:
        """How people see it."""
        operations = self.ledger.operations()
        return Worker(self.name, self.pid, state, self._touched, operations, self.ledger.finished)

    def running(self) -> list[Running]:
        """The operations that have begun in it."""
        return [Running(held.task.operation, held.task.token, self.pid, held.begun or 0) for held in self.ledger.begun()]

    def free(self) -> int:
        """How many tasks could begin in it at once."""
        most = min(self.ledger.slots, self._allowed())
        return max(most - len(self.ledger), 0) if self._takes() else 0

    def room(self, task: Task, ahead: int) -> bool:
        """Whether it may be given this task."""
        return self._takes() and self.ledger.room(ahead) and task.operation not in self.ledger

    def _takes(self) -> bool:
        ready = self.ledger.slots > 0 and not (self.retiring or self._congested or self._dead)
        return ready and len(self.ledger) < self._allowed()

    def _allowed(self) -> int:
        """How many it may hold, so that it never runs more than it is to run in its life."""
        most = self._limits.operations
        return sys.maxsize if most is None else most - self.ledger.finished

    # ---------------------------------------------------------------------------------------- what it is told

    def give(self, task: Task, *, quick: bool) -> None:
        """Give it a task."""
        now = _now()
        if not self.ledger:
            self._touched = now
        self.ledger.give(task, quick=quick, now=now)
        self._say(Give(task))

    def cancel(self, operation: int, token: int, kill_after: float) -> None:
        """Ask an operation to stop; if it runs and still does ``kill_after`` seconds later, kill this process."""
        self._say(Cancel(operation, token))
        self._loop.call_later(kill_after, self._kill_if_running, operation, token)

    def _kill_if_running(self, operation: int, token: int) -> None:
        held = self.ledger.held(operation, token)
        if held is not None and held.begun is not None:
            self.kill()

    def recall(self) -> None:
        """Let it give back what has not begun."""
        if len(self.ledger) > self.ledger.slots:
            self._say(Recall())

    def unstick(self) -> None:
        """Nothing is to wait behind what was thought quick and is not."""
        now = _now()
        if self.ledger.doubt(now - LATE, now):
            self.recall()

    def retire(self) -> None:
        """Give it nothing more, and let it leave when what runs in it has ended."""
        self.retiring = True
        self.recall()
        self._leave_if_idle()

    def _recycle(self, reason: str) -> None:
        if not self.retiring:
            emit("worker.recycled", worker=self.name, pid=self.pid, reason=reason)
            self.retire()
            _finish(self.replaceable)

    def condemn(self, why: str) -> None:
        """Kill it, and say in its obituary why."""
        self._fault = self._fault or why
        self.kill()

    def kill(self) -> None:
        """SIGKILL exactly this process."""
        self.process.kill()

    def _leave_if_idle(self) -> None:
        if self.retiring and not self.ledger and not self._leaving:
            self._leaving = True
            self._say(Leave())
            self._loop.call_later(FAREWELL, self.kill)

    def _say(self, message: ToWorker) -> None:
        """What is said within one turn of the loop goes out together."""
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(message)

    def _flush(self) -> None:
        messages, self._outgoing = self._outgoing, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(frames(messages))

    # ------------------------------------------------------------------------------- what asyncio tells (Protocol)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._say(Hello(self._marks.fd))

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False
        self._owner.on_room()

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except BadFrame as error:
            self.condemn(str(error))
            return
        updates = [message.update for message in messages if type(message) is Ended]
        others = len(updates) < len(messages)
        if others:
            self._remarked([message.remark for message in messages if type(message) is Said])
        if updates:
            self._answered(updates)
        if others:
            for message in messages:
                self._hear(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """A worker without a channel is of no use. Mostly it is dying already, and this changes nothing."""
        self.kill()

    def _remarked(self, remarks: list[Remark]) -> None:
        """Before the ends that came with them; a stray remark of something that ended or was taken away is dropped."""
        known = [remark for remark in remarks if self.ledger.held(remark.operation, remark.token) is not None]
        if known:
            self._touched = _now()
            self._owner.on_remarks(known)

    def _answered(self, updates: list[StatusUpdate]) -> None:
        now = _now()
        known = self.ledger.answer(updates, now)
        self._touched = now  # free, or active with the next one
        most = self._limits.operations
        if most is not None and self.ledger.finished >= most:
            self._recycle("operations")
        self._leave_if_idle()
        if known:
            self._owner.on_updates(known)

    def _hear(self, message: ToHost) -> None:
        match message:
            case Ready(slots):
                self.ledger.slots = slots
                self._touched = _now()
                emit("worker.ready", worker=self.name, pid=self.pid)
                _finish(self.heated)
                self._owner.on_room()
            case Broken(error):
                self._fault = error
            case Memory(resident):
                if self._limits.memory is not None and resident > self._limits.memory:
                    self._recycle("memory")
            case Leaving():
                self._recycle("signal")

    # ----------------------------------------------------------------------------------------------- its death

    def _await_exit(self) -> None:
        """In a thread: a grandchild that holds the channel open must not hide the death."""
        self.process.wait()
        with suppress(RuntimeError):  # the loop is closed, nobody is interested
            self._loop.call_soon_threadsafe(self._died)

    def _died(self) -> None:
        self._read_last_words()
        self._dead = True
        if self._transport is not None:
            self._transport.abort()
        self._socket.close()
        why = self._obituary()
        marked = self._marks.running(self.ledger.slots)
        self._marks.close()
        if not self.ledger.slots:
            _finish(self.heated, self._fault or f"{why} before it was ready")
        elif not self._leaving:
            emit("worker.died", worker=self.name, pid=self.pid, error=why, operations=tuple(marked))
        updates = self.ledger.close(why, _now(), marked)
        _finish(self.replaceable)
        self._owner.on_dead(self)
        if updates:
            self._owner.on_updates(updates)

    def _read_last_words(self) -> None:
        """Answers that came before the death count, also when the loop has not seen them yet."""
        with suppress(OSError):  # BlockingIOError: all is read; others: the channel is closed
            while data := self._socket.recv(RECEIVED_AT_ONCE):
                self.data_received(data)

    def _obituary(self) -> str:
        fault = f": {self._fault}" if self._fault else ""
        return f"worker {self.pid} {exit_text(self.process.returncode)}{fault}"


def _finish(future: asyncio.Future[str | None], result: str | None = None) -> None:
    if not future.done():  # the pool cancels it when it stops waiting
        future.set_result(result)
