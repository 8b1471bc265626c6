"""What people read about an event of the outbox."""

from __future__ import annotations

from enum import StrEnum

from opwright.model.status import Status


class EventState(StrEnum):
    """The states of an event, as the Fusion operations framework names them."""

    NEW = "New"  # it waits, or is being carried out, maybe once more
    PROCESSED = "Processed"  # it was carried out
    DISCARDED = "Discarded"  # it will not be: it failed for good, or was cancelled

    @classmethod
    def of(cls, status: Status) -> EventState:
        """The state of an event whose operation has this status."""
        if not status.ended:
            return cls.NEW
        return cls.PROCESSED if status is Status.SUCCEEDED else cls.DISCARDED
