"""What the layers above hand to a worker: how to find a trigger, call it and write down its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from opwright.workers.current import Current

Around = Callable[["Current"], Iterator[Any]]


class TriggerFunction(Protocol):
    """One registered trigger."""

    @property
    def name(self) -> str: ...

    @property
    def is_async(self) -> bool: ...

    @property
    def capture(self) -> bool:
        """Whether what it prints and logs goes into the log of its operation too."""

    @property
    def function(self) -> Callable[..., Any]:
        """What is called. An async one returns its coroutine, not yet begun."""

    @property
    def decode(self) -> Callable[[str], dict[str, Any]]:
        """The arguments that a JSON text holds. Raises ValueError (msgspec's errors are) when it no longer fits."""

    @property
    def encode(self) -> Callable[[Any], str | None]:
        """A result as JSON text. Raises InvalidOperation when it cannot be stored."""


class Runner(Protocol):
    """Every trigger that this process knows, and what is done around them."""

    @property
    def arounds(self) -> tuple[Around, ...]:
        """What is wrapped around every attempt, the first outermost."""

    def find(self, trigger: str) -> TriggerFunction | None:
        """The trigger of that name, or ``None``. Never raises."""

    async def set_up(self) -> None:
        """Make ready what the triggers need, in the loop that they will run in. Whatever it raises means: no attempt here."""

    async def tear_down(self) -> None:
        """Undo that, in the same loop, when no attempt runs any more. Never raises."""
