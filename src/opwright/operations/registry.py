"""The triggers of an application, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opwright.errors import ConfigurationError, UnknownTrigger
from opwright.operations.payload import refuse_nameless
from opwright.operations.preparation import Preparations
from opwright.operations.trigger import Trigger
from opwright.workers.around import checked
from opwright.workers.runner import Around


class Registry:
    """What this program knows how to run, and what it does around that."""

    def __init__(self) -> None:
        self._triggers: dict[str, Trigger[Any, Any]] = {}
        self.preparations = Preparations()
        self.arounds: tuple[Around, ...] = ()

    def __iter__(self) -> Iterator[Trigger[Any, Any]]:
        return iter(self._triggers.values())

    def add(self, trigger: Trigger[Any, Any]) -> None:
        """Register a trigger. Raises ConfigurationError when its name is taken by another function, or an input has no name."""
        refuse_nameless(trigger.name, trigger.function)
        known = self._triggers.get(trigger.name)
        if known is not None:
            raise ConfigurationError(
                f"two functions want to be the trigger {trigger.name!r}: {_place(known)} and {_place(trigger)}; give one a name="
            )
        self._triggers[trigger.name] = trigger

    def wrap(self, around: Around) -> None:
        """Wrap this around every attempt, inside of what is there. Raises ConfigurationError when it cannot be."""
        self.arounds = (*self.arounds, checked(around))

    async def set_up(self) -> None:
        """Make ready what the triggers need."""
        await self.preparations.set_up()

    async def tear_down(self) -> None:
        """Undo that."""
        await self.preparations.tear_down()

    def find(self, trigger: str | None) -> Trigger[Any, Any] | None:
        """The trigger of that name, if there is one."""
        return None if trigger is None else self._triggers.get(trigger)

    def get(self, trigger: str) -> Trigger[Any, Any]:
        """The trigger of that name. Raises UnknownTrigger, which lists those there are."""
        found = self.find(trigger)
        if found is None:
            names = ", ".join(sorted(self._triggers)) or "none"
            raise UnknownTrigger(f"trigger: there is no {trigger!r}; registered: {names}", field="trigger")
        return found

    def names(self) -> list[str]:
        """Every name, sorted."""
        return sorted(self._triggers)

    def prepare(self) -> None:
        """Work out how every trigger's inputs and result travel. Raises ConfigurationError for what cannot."""
        for trigger in self:
            _ = trigger.inputs, trigger.result


def _place(trigger: Trigger[Any, Any]) -> str:
    return f"{trigger.function.__module__}.{trigger.function.__qualname__}"
