"""The states of an event are words for those of its operation."""

import pytest

from opwright import EventState, Status


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status.PENDING, "New"),
        (Status.PROCESSING, "New"),
        (Status.WAIT, "New"),
        (Status.SUCCEEDED, "Processed"),
        (Status.FAILED, "Discarded"),
        (Status.CANCELLED, "Discarded"),
    ],
)
def test_each_status_has_its_word(status: Status, state: str) -> None:
    assert EventState.of(status) == state
