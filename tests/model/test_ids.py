"""Ids: unique, rising, and telling their time."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opwright.model import ids
from opwright.model.ids import COUNTER_BITS, EPOCH_MS, made_at, new_id, new_ids


@pytest.fixture(autouse=True)
def _own_counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test does with the clock stays with it."""
    last = ids._last
    yield
    ids._last = last


def test_ids_rise() -> None:
    """Each id is larger than the one before."""
    made = [new_id() for _ in range(1000)]
    assert all(before < after for before, after in pairwise(made))


@given(st.lists(st.integers(0, 5000), max_size=20))
def test_batches_follow_each_other(counts: list[int]) -> None:
    """Batches are as long as asked, and never overlap."""
    batches = [new_ids(count) for count in counts]
    assert [len(batch) for batch in batches] == counts
    flat = [each for batch in batches for each in batch]
    assert all(before < after for before, after in pairwise(flat))


def test_threads_never_share_an_id() -> None:
    """Also side by side no id is made twice, and each thread's own rise."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: [new_id() for _ in range(2000)], range(8)))
    assert len({each for share in made for each in share}) == 16_000
    assert all(before < after for share in made for before, after in pairwise(share))


def test_a_clock_set_back_makes_no_id_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids go on rising while the clock catches up."""
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    before = new_ids(1000)
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    after = new_ids(1000)
    assert before[-1] < after[0]


@pytest.mark.parametrize("year", [1970, 2024, 2092])
def test_an_id_fits_63_bits(monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    """Positive and within a bigint, whatever the clock says."""
    monkeypatch.setattr(ids, "_last", 0)
    monkeypatch.setattr(time, "time_ns", lambda: round((year - 1970) * 365.2425 * 86_400) * 10**9)
    assert 0 < new_id() < 2**63


def test_an_id_tells_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the millisecond."""
    monkeypatch.setattr(ids, "_last", 0)
    monkeypatch.setattr(time, "time_ns", lambda: (EPOCH_MS + 123_456) * 1_000_000)
    assert made_at(new_id()) == (EPOCH_MS + 123_456) * 1000


def test_a_later_millisecond_makes_a_larger_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of different processes are ordered by time."""
    made = []
    for millisecond in range(100, 200):
        monkeypatch.setattr(ids, "_last", 0)  # each is another process
        monkeypatch.setattr(time, "time_ns", lambda at=millisecond: (EPOCH_MS + at) * 1_000_000)
        made.append(new_id())
    assert made == sorted(made)


def test_processes_start_at_different_numbers() -> None:
    """Two processes in the same millisecond draw apart."""
    program = "from opwright.model import ids; ids._milliseconds = lambda: 1; print(ids.new_id())"
    made = {subprocess.check_output([sys.executable, "-c", program]) for _ in range(3)}
    assert len(made) == 3


def test_there_is_room_above_the_random_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start is never so high that a millisecond's ids run into the next one at once."""
    monkeypatch.setattr(ids, "_milliseconds", lambda: 5)
    for _ in range(50):
        monkeypatch.setattr(ids, "_last", 0)
        assert new_id() >> COUNTER_BITS == new_id() >> COUNTER_BITS == 5
