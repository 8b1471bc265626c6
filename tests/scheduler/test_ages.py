"""Ages: time without a sign of life, counted only while the judge moves too."""

from opwright.clock import TurnedClock
from opwright.scheduler.ages import Ages

GAP = 10.0


def test_an_age_grows_until_the_next_sign_of_life() -> None:
    """Each has its own, from the first time it is seen; one that has gone and comes back begins afresh."""
    clock = TurnedClock()
    ages = Ages[str](clock, GAP)
    assert ages.look({"a": 1}) == {"a": 0}
    clock.turn(4)
    assert ages.look({"a": 1, "b": 1}) == {"a": 4, "b": 0}
    clock.turn(4)
    assert ages.look({"a": 2, "b": 1}) == {"a": 0, "b": 4}
    clock.turn(4)
    assert ages.look({"a": 2}) == {"a": 4}
    assert ages.look({"a": 2, "b": 1}) == {"a": 4, "b": 0}


def test_a_pause_of_the_machine_makes_nobody_old() -> None:
    """Judge and judged stood still together: at most one gap counts, however long it was."""
    clock = TurnedClock()
    ages = Ages[str](clock, GAP)
    ages.look({"a": 1})
    clock.turn(7200)
    assert ages.look({"a": 1}) == {"a": GAP}


def test_a_clock_that_is_set_makes_nobody_old_or_young() -> None:
    """Only monotonic time counts."""
    clock = TurnedClock()
    ages = Ages[str](clock, GAP)
    ages.look({"a": 1})
    clock.turn(2)
    clock.turn(-86_400)
    assert ages.look({"a": 1}) == {"a": 2}
