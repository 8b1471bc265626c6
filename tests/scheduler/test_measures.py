"""How long triggers run, and how much may be claimed ahead because of it."""

import pytest

from opwright.model.worker import Outcome, StatusUpdate
from opwright.scheduler.measures import FAST, MOST_AHEAD, LookAhead, Measures


def ran(seconds: float) -> StatusUpdate:
    return StatusUpdate(1, 1, Outcome.DONE, begun=1_000_000, ended=1_000_000 + round(seconds * 1e6))


def test_the_first_run_is_the_mean_and_later_ones_move_it() -> None:
    """One slow run among fast ones counts, but does not decide."""
    measures = Measures()
    assert "work" not in measures.means
    measures.add("work", ran(0.001))
    assert measures.means["work"] == pytest.approx(0.001)
    measures.add("work", ran(0.101))
    assert measures.means["work"] == pytest.approx(0.011)
    for _ in range(100):
        measures.add("work", ran(0.5))
    assert measures.means["work"] == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("update", [StatusUpdate(1, 1, Outcome.DONE), StatusUpdate(1, 1, Outcome.DONE, begun=5)])
def test_a_run_without_times_teaches_nothing(update: StatusUpdate) -> None:
    """What never began has no length."""
    measures = Measures()
    measures.add("work", update)
    assert "work" not in measures.means


def test_a_clock_set_back_during_a_run_is_no_time_at_all() -> None:
    """Not a negative one."""
    measures = Measures()
    measures.add("work", StatusUpdate(1, 1, Outcome.DONE, begun=5_000_000, ended=1_000_000))
    assert measures.means["work"] == 0


def test_only_what_was_measured_to_be_fast_is_fast() -> None:
    """A trigger that never ran may be slow, so it is not."""
    measures = Measures()
    measures.add("quick", ran(FAST / 2))
    measures.add("slow", ran(FAST))
    assert measures.fast(["slow", "never", "quick"]) == ["quick"]


def test_look_ahead_grows_and_shrinks_within_bounds() -> None:
    """It doubles while the pool runs dry, halves while what it holds lies; never above the most, never below its first size."""
    ahead = LookAhead(auto=True, first=0)
    first = ahead.size
    assert first > 0
    ahead.lay_long()
    assert ahead.size == first
    for _ in range(30):
        ahead.ran_dry()
    assert ahead.size == MOST_AHEAD
    ahead.lay_long()
    assert ahead.size == MOST_AHEAD // 2
    for _ in range(30):
        ahead.lay_long()
    assert ahead.size == first


def test_look_ahead_that_is_off_stays_off() -> None:
    """``look_ahead=0`` is exactly the seed, whatever happens."""
    ahead = LookAhead(auto=False, first=50)
    for _ in range(5):
        ahead.ran_dry()
    assert ahead.size == 0
