"""What the layers above hand to a worker: how to find a trigger, call it and write down its result."""

from __future__ import annotations

from typing import Any, Protocol


class TriggerFunction(Protocol):
    """One registered trigger."""

    @property
    def name(self) -> str: ...

    @property
    def is_async(self) -> bool: ...

    def decode(self, inputs: str) -> dict[str, Any]:
        """The arguments that the JSON text holds. Raises ValueError (msgspec's errors are) when it no longer fits."""

    def call(self, arguments: dict[str, Any]) -> Any:
        """Call the function. For an async one this returns its coroutine, not yet begun."""

    def encode(self, result: Any) -> str | None:
        """The result as JSON text. Raises InvalidOperation when it cannot be stored."""


class Runner(Protocol):
    """Every trigger that this process knows."""

    def find(self, trigger: str) -> TriggerFunction | None:
        """The trigger of that name, or ``None``. Never raises."""
