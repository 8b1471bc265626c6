"""How much of the time blocks leave to others who want to write to the same SQLite file."""

import pytest

from opwright.store.pauses import LET_GO, Pauses


def free(taken: float, gap: float, blocks: int = 100) -> float:
    """The part of the time in which the file is free, when blocks follow each other with this gap and are made to wait."""
    pauses, now, idle = Pauses(), 1_000.0, 0.0
    for _ in range(blocks):
        pauses.after(now, now + taken, wanted=False)
        until = max(now + taken + gap, pauses.until)
        idle += until - now - taken
        now = until
    return idle / (now - 1_000.0)


def test_whoever_is_known_to_wait_has_a_pause_behind_each_block() -> None:
    pauses = Pauses()
    pauses.after(10.0, 10.0001, wanted=True)
    assert pauses.until == pytest.approx(10.0001 + LET_GO)


def test_one_slow_flush_among_fast_ones_costs_no_pause() -> None:
    pauses, now = Pauses(), 10.0
    for taken in (0.0003, 0.004, 0.0003, 0.0003, 0.008, 0.0003):
        pauses.after(now, now + taken, wanted=False)
        now += taken + 0.0004
        assert pauses.until <= now


@pytest.mark.parametrize("taken", [0.003, 0.005, 0.011])
def test_blocks_in_a_row_leave_others_a_fifth_of_the_time(taken: float) -> None:
    assert free(taken, gap=0.0001) == pytest.approx(0.2, abs=0.02)


def test_short_blocks_do_not_pay_for_a_long_one_for_long() -> None:
    pauses, now, made = Pauses(), 10.0, 0
    for taken in (1.0, *[0.0003] * 100):
        pauses.after(now, now + taken, wanted=False)
        now += taken
        made += pauses.until > now
        now = max(now, pauses.until)
    assert 1 <= made <= 6
