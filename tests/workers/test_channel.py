"""Frames: however the stream of bytes is split, the same messages come out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opwright.model.worker import Outcome, StatusUpdate, Task
from opwright.workers import channel
from opwright.workers.channel import (
    BadFrame,
    Broken,
    Cancel,
    Ended,
    Give,
    Hello,
    Leave,
    Leaving,
    Memory,
    Ready,
    Recall,
    ToHost,
    ToWorker,
    frames,
    host_reader,
    worker_reader,
)

ids = st.integers(0, 2**63 - 1)
texts = st.text(max_size=200)
tasks = st.builds(Task, ids, ids, st.integers(1, 9), texts, texts)
updates = st.builds(
    StatusUpdate, ids, ids, st.sampled_from(Outcome), st.none() | texts, st.none() | texts, st.none() | ids, st.none() | ids
)
to_worker: st.SearchStrategy[ToWorker] = st.one_of(
    st.builds(Hello, st.integers(0, 99)),
    st.builds(Give, tasks),
    st.builds(Cancel, ids, ids),
    st.just(Recall()),
    st.just(Leave()),
)
to_host: st.SearchStrategy[ToHost] = st.one_of(
    st.builds(Ready, st.integers(1, 99)),
    st.builds(Broken, texts),
    st.builds(Ended, updates),
    st.builds(Memory, ids),
    st.just(Leaving()),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(marks)]


@given(st.lists(st.lists(to_worker, min_size=1, max_size=5), max_size=5), st.lists(st.integers(0, 10_000), max_size=20))
def test_any_split_of_what_the_host_says_gives_the_same_messages(batches: list[list[ToWorker]], cuts: list[int]) -> None:
    stream = b"".join(frame for batch in batches for frame in frames(batch))
    reader = worker_reader()
    heard = [message for piece in pieces(stream, cuts) for message in reader.feed(piece)]
    assert heard == [message for batch in batches for message in batch]


@given(st.lists(st.lists(to_host, min_size=1, max_size=5), max_size=5), st.lists(st.integers(0, 10_000), max_size=20))
def test_any_split_of_what_a_worker_says_gives_the_same_messages(batches: list[list[ToHost]], cuts: list[int]) -> None:
    stream = b"".join(frame for batch in batches for frame in frames(batch))
    reader = host_reader()
    heard = [message for piece in pieces(stream, cuts) for message in reader.feed(piece)]
    assert heard == [message for batch in batches for message in batch]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_bytes_that_are_no_frame_are_refused_or_waited_for_and_nothing_else(data: bytes, cuts: list[int]) -> None:
    reader = host_reader()
    try:
        for piece in pieces(data, cuts):
            reader.feed(piece)
    except BadFrame:
        pass


def test_a_frame_that_announces_too_much_is_refused() -> None:
    with pytest.raises(BadFrame, match="a frame of 4,294,967,295 bytes is announced; the largest has 67,108,864"):
        host_reader().feed(b"\xff\xff\xff\xff")


def test_what_one_frame_cannot_hold_goes_out_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "LARGEST_FRAME", 200)
    messages = [Give(Task(number, 1, 1, "trigger", "x" * 50)) for number in range(10)]
    parts = list(frames(messages))
    assert len(parts) > 1
    assert worker_reader().feed(b"".join(parts)) == messages


def test_a_message_that_no_frame_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "LARGEST_FRAME", 200)
    with pytest.raises(BadFrame, match=r"one message of 3\d\d bytes; a frame holds at most 200"):
        list(frames([Give(Task(1, 1, 1, "trigger", "x" * 300))]))
