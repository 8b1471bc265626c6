"""A goal is a bound, or a multiple of the best that others reach in the same run."""

import pytest

from benchmarks.figures import Figure, rate, waits
from benchmarks.goals import at_least, at_most


def figures(*all_: Figure) -> dict[str, Figure]:
    return {figure.name: figure for figure in all_}


@pytest.mark.parametrize(("own", "met"), [(39_999.0, False), (40_000.0, True)])
def test_a_rate_is_judged_by_its_multiple_of_another_system(own: float, *, met: bool) -> None:
    drained = rate("drain", own)
    verdict = at_least(2, "drain.graphile").judge(drained, figures(drained, rate("drain.graphile", 20_000.0)))
    assert verdict
    assert verdict.met == met
    assert verdict.reached == own / 20_000


def test_a_wait_is_judged_by_the_best_of_several_systems() -> None:
    own = waits("pickup", [0.001] * 100)
    others = figures(waits("pickup.slow", [0.009] * 100), waits("pickup.fast", [0.0016] * 100))
    verdict = at_most(0.5, "pickup.slow", "pickup.fast", "pickup.unmeasured", part="p99").judge(own, others)
    assert verdict
    assert not verdict.met
    assert verdict.reached == pytest.approx(1 / 1.6)


def test_a_goal_without_anybody_to_compare_with_has_no_verdict() -> None:
    assert at_least(2, "drain.graphile").judge(rate("drain", 1.0), {}) is None


def test_a_bound_of_its_own_needs_nobody() -> None:
    verdict = at_most(0.3).judge(Figure("idle", (0.2,), "%"), {})
    assert verdict
    assert verdict.met


def test_a_goal_reads_as_a_sentence_would() -> None:
    assert str(at_least(2.5, "submit.bulk.graphile")) == "≥ 2.5 × submit.bulk.graphile"
    assert str(at_most(0.5, "a", "b", part="p99", best="the best peer")) == "p99 ≤ 0.5 × the best peer"
    assert str(at_most(0.3)) == "≤ 0.3"
