"""The table of moves."""

import pytest

from opwright.model.status import TRANSITIONS, OutcomeCode, Status, may_move

ENDED = {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}


def test_every_status_has_its_row() -> None:
    """The table speaks about each status."""
    assert set(TRANSITIONS) == set(Status)


def test_an_ended_status_has_no_exit() -> None:
    """Ended is ended; everything else goes on."""
    assert {status for status in Status if status.ended} == ENDED
    assert all(not may_move(old, new) for old in ENDED for new in Status)


def test_every_status_is_reachable_from_a_submit() -> None:
    """No status stands in the table that nothing leads to."""
    reached = {Status.PENDING}
    while more := {new for old in reached for new in TRANSITIONS[old]} - reached:
        reached |= more
    assert reached == set(Status)


@pytest.mark.parametrize("status", sorted(set(Status) - ENDED, key=str))
def test_every_living_status_can_end(status: Status) -> None:
    """Nothing is stuck: whatever lives can be failed and cancelled."""
    assert {Status.FAILED, Status.CANCELLED} <= TRANSITIONS[status]


def test_only_what_was_begun_succeeds() -> None:
    """SUCCEEDED follows PROCESSING and nothing else."""
    assert [old for old in Status if may_move(old, Status.SUCCEEDED)] == [Status.PROCESSING]


def test_outcomes_are_the_ended_statuses() -> None:
    """What a row can say about an end is what people read."""
    assert {code.status for code in OutcomeCode} == ENDED
    assert [code.value for code in OutcomeCode] == [1, 2, 3]  # in the rows for ever
