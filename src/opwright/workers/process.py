"""A worker's own side: what runs in each child process.

The main thread runs the event loop and the triggers, so that a signal can interrupt a synchronous one.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import NoReturn

from opwright.errors import ConfigurationError, OperationCancelled
from opwright.model.worker import Remark, StatusUpdate, Task
from opwright.workers.channel import (
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
)
from opwright.workers.failure import failure_text
from opwright.workers.line import Line
from opwright.workers.marks import MOST_SLOTS, Marks
from opwright.workers.memory import resident
from opwright.workers.pool import returned
from opwright.workers.runner import Runner
from opwright.workers.slots import Slots

Prepare = Callable[[], Runner | Awaitable[Runner]]

GATHERED = 64 * 1024  # characters; a larger result does not wait for others
WEIGHED_EVERY = 1.0  # seconds at least between two reports of memory

_PR_SET_PDEATHSIG = 1


def serve(fd: int, prepare: Prepare, slots: int = 1) -> None:
    """Be a worker for the host at the other end of ``fd``, until it says to leave.

    ``prepare`` imports the application and returns its runner, or an awaitable of it, which is awaited in the loop that the
    triggers will run in. Then the runner is set up there. Only then is the worker ready. To be called in the main thread.
    """
    if not 1 <= slots <= MOST_SLOTS:
        raise ConfigurationError(f"slots: {slots} is not a number from 1 to {MOST_SLOTS}")
    os.set_inheritable(fd, False)  # noqa: FBT003 - the name says it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole group; the host coordinates
    _die_with_host()
    _Worker(socket.socket(fileno=fd), slots).run(prepare)


class _Worker:
    def __init__(self, channel: socket.socket, count: int) -> None:
        self._count = count
        self._slots: Slots | None = None
        self._signalled = False  # the next SIGTERM is our own
        self._weighed = 0.0
        self._weighing = self._flushing = False
        self._marks = memoryview(b"")
        self._greeted = threading.Event()
        self._line = Line(channel, self._obey_all, self._occupied)

    def run(self, prepare: Prepare) -> None:
        try:
            prepared = prepare()
        except BaseException as error:  # noqa: BLE001 - also SystemExit: the host must be told
            self._give_up(error)
        self._greeted.wait()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._serve(prepared))
        self._line.detach()

    async def _serve(self, prepared: Runner | Awaitable[Runner]) -> None:
        try:
            runner = await prepared if inspect.isawaitable(prepared) else prepared
            await runner.set_up()
        except BaseException as error:  # noqa: BLE001 - as above
            self._give_up(error)
        self._loop = asyncio.get_running_loop()
        self._left = asyncio.Event()
        interrupt = self._interrupt if self._count == 1 else None
        self._slots = Slots(runner, self._count, self._report, self._remark, interrupt)
        self._slots.marks = self._marks
        self._slots.start()
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._loop.add_reader(self._line.fileno(), self._line.hear)
        self._line.say(Ready(self._count))
        self._line.flush()
        await self._left.wait()
        await self._slots.close()
        await runner.tear_down()
        self._loop.remove_reader(self._line.fileno())

    def _give_up(self, error: BaseException) -> NoReturn:
        self._line.say(Broken(failure_text(error)))
        self._line.flush()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)  # whatever half of the application has started

    def _occupied(self) -> int | None:
        """See Line. Before it is ready, setting up the application keeps the main thread."""
        slots = self._slots
        if slots is None:
            return 0
        return slots.begun if slots.busy or slots.queue else None

    # ----------------------------------------------------------------------------------- in the main thread

    def _report(self, update: StatusUpdate) -> None:
        self._say(Ended(update))
        if update.result is not None and len(update.result) > GATHERED:
            self._line.flush()  # still marked: if this process cannot bear to send it, that is charged
        if not self._weighing:
            self._weighing = True
            pause = self._weighed + WEIGHED_EVERY - self._loop.time()
            self._loop.call_later(max(pause, 0.0), self._weigh)

    def _weigh(self) -> None:
        self._weighing, self._weighed = False, self._loop.time()
        self._say(Memory(resident()))

    def _say(self, message: ToHost) -> None:
        """What is said within one turn of the loop goes out together."""
        self._line.say(message)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._line.flush()

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        """Runs between two steps of the main thread. It can only hit the operation that was asked: it looks at the mark."""
        own, self._signalled = self._signalled, False
        attempt = self._slots.slots[0].attempt if self._slots and self._count == 1 else None
        if attempt is not None and attempt.exposed and attempt.asked:
            attempt.exposed = False
            raise OperationCancelled("asked to stop")
        if not own:
            self._line.say(Leaving())
            self._loop.call_soon_threadsafe(self._line.flush)  # not here: the line may be in use

    # ------------------------------------------------------------------------------------- in any thread

    def _remark(self, remark: Remark) -> None:
        self._line.say(Said(remark))  # the thread that stands in sends it: this one may belong to a trigger

    def _obey_all(self, messages: list[ToWorker]) -> None:
        given: list[Task] = []
        for message in messages:
            if type(message) is Give:
                given.append(message.task)
                continue
            self._put(given)  # in the order of the messages
            given = []
            self._obey(message)
        self._put(given)

    def _put(self, tasks: list[Task]) -> None:
        if tasks and self._slots is not None:
            self._slots.put(tasks)

    def _obey(self, message: ToWorker) -> None:
        if type(message) is Hello:
            self._marks = Marks(message.marks).words
            self._greeted.set()
        elif self._slots is not None:  # else it is not ready, and the host has nothing else to say
            self._serve_host(self._slots, message)

    def _serve_host(self, slots: Slots, message: ToWorker) -> None:
        match message:
            case Cancel(operation, token):
                task = slots.cancel(operation, token)
                self._give_back([] if task is None else [task])
            case Recall():
                self._give_back(slots.take_back())
            case Leave():
                self._loop.call_soon_threadsafe(self._left.set)

    def _give_back(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._line.say(Ended(returned(task)))

    def _interrupt(self) -> None:
        self._signalled = True
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _die_with_host() -> None:
    """Let the kernel kill this process when its host dies, also while a trigger holds the interpreter.

    A host that had died before is seen as the end of the channel by the thread that stands in until the worker is ready.
    """
    if sys.platform == "linux":
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        except (AttributeError, OSError):  # a libc without it: the channel alone must do
            return
