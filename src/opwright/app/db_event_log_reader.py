"""``DbEventLogReader``: a host for events alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opwright.app.host import Host
from opwright.commands.events import QUEUE
from opwright.settings import Overrides, resolve

if TYPE_CHECKING:
    from typing import Unpack

    from opwright.app.application import Opwright


class DbEventLogReader(Host):
    """A service that carries out the events that are due: a host whose scheduler reads the events' queue and no other.

    A host that serves all queues carries out events, too; this is for processes that shall do nothing else. The settings
    are those of ``ops.host``. Raises ConfigurationError.
    """

    def __init__(self, ops: Opwright, **settings: Unpack[Overrides]) -> None:
        given: Any = settings | {"queues": (QUEUE,)}
        super().__init__(ops.client, ops.registry, resolve(given), ops.client.clock, ops.target, reading=ops.reading)
