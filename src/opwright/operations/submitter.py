"""Submitters: objects that do the work of their own operations and get each one back when it has ended."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

import msgspec

from opwright.errors import ConfigurationError
from opwright.model.operation import Operation
from opwright.model.status import Status
from opwright.operations.keeping import keeping
from opwright.operations.portal import portal
from opwright.operations.transaction import end_plan
from opwright.workers.current import Current, current

if TYPE_CHECKING:
    from opwright.operations.client import Client
    from opwright.operations.registry import Registry
    from opwright.operations.trigger import Trigger

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

CALLBACKS = {Status.SUCCEEDED: "done", Status.FAILED: "failed", Status.CANCELLED: "cancelled"}
HandBack = Callable[[int], "Awaitable[None] | None"]


class Submitter(Protocol[P, R_co]):
    """What an object needs to be a submitter: ``handle``, whose parameters are the inputs of its operations.

    It may also have ``done``, ``failed`` and ``cancelled``, synchronous or not, each of which takes a HandedBack.
    """

    def handle(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Do the work."""


class HandedBack(msgspec.Struct, frozen=True):
    """An operation that has ended, as its submitter gets it back. ``inputs`` and ``result`` are decoded."""

    id: int
    trigger: str
    status: Status
    inputs: dict[str, Any]
    result: Any
    error: str | None
    attempt: int
    submitted: datetime
    ended: datetime


def hand_back(client: Client, registry: Registry, name: str, submitter: object) -> HandBack:
    """The trigger that gives operations back to an object. Raises ConfigurationError for an object that cannot take them.

    What the object submits meanwhile, without a key, is written in the transaction that ends the hand-back: an error or a death
    leaves nothing of it, and a hand-back that is done again submits again.
    """
    callbacks = {status: getattr(submitter, word, None) for status, word in CALLBACKS.items()}
    for word, callback in zip(CALLBACKS.values(), callbacks.values(), strict=True):
        if callback is not None and not callable(callback):
            raise ConfigurationError(f"submitter {name!r}: {word} is {callback!r}, not a method")

    async def load(operation: int) -> HandedBack:
        return _handed(registry, await (await client.store()).operations.get(operation))

    async def give_back(operation: int) -> None:
        handed = await load(operation)
        callback = callbacks[handed.status]
        with keeping():
            answer = callback(handed) if callback is not None else None
            if inspect.isawaitable(answer):
                await answer
            await _end(client, current())

    def give_back_now(operation: int) -> None:
        handed = portal().run(load(operation))
        callback = callbacks[handed.status]
        with keeping():
            answer = callback(handed) if callback is not None else None
            if inspect.isawaitable(answer):
                portal().run(_awaited(answer))
            portal().run(_end(client, current()))

    return give_back if any(inspect.iscoroutinefunction(callback) for callback in callbacks.values()) else give_back_now


async def _awaited(answer: Awaitable[Any]) -> None:
    """What a method that is no coroutine function returned all the same."""
    await answer


async def _end(client: Client, running: Current) -> None:
    """Write the end, unless the object did so in a transaction of its own."""
    if running.over:
        return
    engine = (await client.store()).engine
    await engine.play(end_plan(client, running, None))
    running.over = True
    engine.notify()
    client.wake()


def _handed(registry: Registry, operation: Operation) -> HandedBack:
    trigger = registry.find(operation.trigger)
    plain = None if operation.result is None else msgspec.json.decode(operation.result)
    assert operation.ended is not None  # noqa: S101 - a hand-back is written with the end
    return HandedBack(
        operation.id, operation.trigger, operation.status, _inputs(trigger, operation.inputs),
        plain if trigger is None else trigger.result.decode(operation.result),
        operation.error, operation.attempt, operation.submitted, operation.ended,
    )  # fmt: skip


def _inputs(trigger: Trigger[Any, Any] | None, text: str) -> dict[str, Any]:
    """As the trigger got them; plain where there is none any more that they fit."""
    if trigger is not None:
        with suppress(msgspec.ValidationError):
            return trigger.inputs.decode(text)
    plain: dict[str, Any] = msgspec.json.decode(text)
    return plain
