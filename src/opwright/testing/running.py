"""A trigger alone: called like any function, with a current operation around it, and no database."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from opwright.clock import SystemClock
from opwright.model.claim import NoteKind
from opwright.model.worker import Remark, Task
from opwright.operations.trigger import Trigger
from opwright.workers import current
from opwright.workers.current import Current, Retrying, Running, Waiting, request_in
from opwright.workers.progress import Progress
from opwright.workers.runner import TriggerFunction


class running:  # noqa: N801 - it reads as a verb, and its block may end early
    """``with running(render) as recorded:`` lets a trigger be called as if an operation ran it, in its ``attempt``-th attempt.

    ``answers``: the values with which it was resumed so far. A wait that has no answer yet ends the block, as it ends an
    attempt, and so does a ``retry``; then it is ``waiting`` (with ``seconds`` and ``times``), or ``retrying`` (with ``after`` and
    ``reason``). Errors pass.
    """

    def __init__(self, trigger: Trigger[Any, Any], *, attempt: int = 1, answers: Sequence[Any] = ()) -> None:
        self.waiting: Waiting | None = None
        self.retrying: Retrying | None = None
        self.task = Task(1, 1, attempt, trigger.name, "{}", tuple(msgspec.json.encode(answer).decode() for answer in answers))
        self.function: TriggerFunction | None = trigger
        self.begun: int | None = SystemClock().now()
        self.asked = False
        self._remarks: list[Remark] = []
        self.say = self._remarks.append
        self.current: Current = _Current(self)

    def __enter__(self) -> Self:
        self._token = current.running.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        current.running.reset(self._token)
        match None if error is None else request_in(error):
            case Waiting() as request:
                self.waiting = request
                return True
            case Retrying() as request:
                self.retrying = request
                return True
        return False

    def cancel(self) -> None:
        """Somebody asks it to stop; it is not interrupted."""
        self.asked = True

    @property
    def logged(self) -> list[str]:
        """The lines of its log."""
        return [remark.text for remark in self._remarks if remark.kind == NoteKind.LOG]

    @property
    def progressed(self) -> list[tuple[float, str]]:
        """How far it said it was, each time."""
        return [(remark.fraction or 0.0, remark.text) for remark in self._remarks if remark.kind == NoteKind.PROGRESS]


class _Current(Current):
    def __init__(self, running: Running) -> None:
        super().__init__(running)
        self._progress = _Every(self._tell)


class _Every(Progress):
    """A test wants to see all, not the newest now and then."""

    def offer(self, remark: Remark) -> None:
        self._say(remark)
