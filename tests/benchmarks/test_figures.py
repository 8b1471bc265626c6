"""Figures: what a round adds to those before it."""

from benchmarks.figures import rate, waits


def test_one_bad_round_does_not_decide_the_tail() -> None:
    """The 99th percentile is the median of the rounds' own; the median is that of all samples."""
    good, bad = [0.001] * 99 + [0.002], [0.001] * 50 + [0.1] * 50
    figure = waits("pickup", good).joined(waits("pickup", bad).joined(waits("pickup", good)))
    alone = waits("pickup", good)
    assert figure.parts["p99"] == alone.parts["p99"] < waits("pickup", bad).parts["p99"]
    assert figure.parts["samples"] == 300
    assert figure.value == 1.0


def test_of_rates_the_median_counts_and_the_extremes_are_told() -> None:
    figure = rate("drain", 30).joined(rate("drain", 10).joined(rate("drain", 20)))
    assert (figure.value, figure.parts) == (20, {"least": 10, "most": 30})


def test_a_single_wait_is_each_of_its_percentiles() -> None:
    """A quiet machine pauses once in a round, or not at all, and the run must not end with that."""
    figure = waits("pause", [0.002]).joined(waits("pause", [0.004]))
    assert figure.parts == {"p95": 3.0, "p99": 3.0, "samples": 2}
