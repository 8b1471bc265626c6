"""What running operations say of themselves, on its way to the host."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from opwright.errors import InvalidOperation, NotInOperation
from opwright.model.claim import NoteKind
from opwright.model.worker import TOUCH, Remark, Task
from opwright.workers.attempt import Attempt
from opwright.workers.current import TOUCH_EVERY, Current, current, current_or_none
from opwright.workers.progress import PROGRESS_EVERY
from tests.workers.host import TOKEN, Host, file_appears


def speaking(into: list[Remark]) -> Current:
    return Attempt(Task(1, TOKEN, 3, "speaks", "{}"), into.append).current


async def test_a_trigger_knows_which_operation_runs_it(inside: Host) -> None:
    operation = inside.place("describes")
    await inside.update(operation)
    assert await inside.result("describes") == [operation + 1, 1, "describes", TOKEN, False, f"seen {operation + 1}"]


async def test_so_do_its_tasks_and_the_threads_that_it_awaits(inside: Host) -> None:
    operation = inside.place("describes_from_afar")
    assert (await inside.update(operation)).result == f"[{operation},{operation}]"


def test_outside_of_an_operation_there_is_none() -> None:
    assert current_or_none() is None
    with pytest.raises(NotInOperation, match="only inside a trigger"):
        current()


async def test_lines_arrive_in_order_and_before_the_end(inside: Host) -> None:
    """That none comes after its end is asserted by the host of these tests, whenever one comes."""
    operation = inside.place("says", lines=["one", "two", "three"])
    await inside.update(operation)
    assert inside.said(operation) == ["one", "two", "three"]
    first = inside.remarks[0]
    assert (first.operation, first.token, first.attempt, first.kind, first.fraction) == (operation, TOKEN, 1, NoteKind.LOG, None)
    assert abs(first.at / 1e6 - time.time()) < 60


@pytest.mark.fault("F72")
async def test_of_too_many_lines_the_first_thousand_arrive_and_a_word_about_the_rest(inside: Host) -> None:
    operation = inside.place("says_much", lines=5_000)
    await inside.update(operation)
    said = inside.said(operation)
    assert len(said) == 1_001
    assert said[999] == "line 999"
    assert said[1_000] == "this attempt has said 1,000 lines; the rest is left out"


async def test_a_line_is_cleaned_and_cut(inside: Host) -> None:
    operation = inside.place("says", lines=["a\ud800b".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "x" * 9_000])
    await inside.update(operation)
    assert "�" in inside.said(operation)[0]
    assert 3_900 < len(inside.said(operation)[1]) <= 4_000


def test_what_a_database_refuses_is_spelt_out() -> None:
    remarks: list[Remark] = []
    speaking(remarks).log("a\x00b\ud800")
    assert [remark.text for remark in remarks] == ["a\\x00b\\ud800"]


async def test_progress_is_seen_while_a_synchronous_trigger_still_runs(inside: Host, tmp_path: Path) -> None:
    operation = inside.place("progresses", gate=str(tmp_path / "gate"))
    await inside.until(lambda: inside.remarks)
    (remark,) = inside.remarks
    assert (remark.kind, remark.fraction, remark.text) == (NoteKind.PROGRESS, 0.5, "half")
    assert operation not in inside.updates
    (tmp_path / "gate").touch()
    await inside.update(operation)


async def test_progress_that_came_too_soon_is_seen_soon_after(inside: Host, tmp_path: Path) -> None:
    """The trigger neither ends nor says anything more."""
    operation = inside.place("progresses_twice", gate=str(tmp_path / "gate"))
    await inside.until(lambda: len(inside.remarks) == 2)
    assert [remark.fraction for remark in inside.remarks] == [0.25, 0.75]
    assert operation not in inside.updates
    await file_appears(tmp_path / "gate.said")
    assert inside.remarks[1].at <= int((tmp_path / "gate.said").read_text()), "that is when it was sent, not when it was said"
    (tmp_path / "gate").touch()
    await inside.update(operation)


async def test_of_much_progress_little_travels_and_the_last_always(inside: Host) -> None:
    seconds = 0.55
    operation = inside.place("hurries", seconds=seconds)
    await inside.update(operation)
    said = inside.said(operation)
    assert 2 <= len(said) <= seconds / PROGRESS_EVERY + 3
    assert said[0] == "step 1"
    assert said[-1] == "done"


async def test_what_is_said_after_the_end_is_dropped(inside: Host, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    await inside.run("speaks_after_its_end", gate=str(gate))
    gate.touch()
    await file_appears(Path(f"{gate}.spoken"))
    await inside.run("describes")
    assert inside.remarks == []


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan"), float("inf"), True, "0.5", None])
def test_progress_is_a_number_from_0_to_1(fraction: float) -> None:
    remarks: list[Remark] = []
    with pytest.raises(InvalidOperation, match=r"fraction: .* is not a number from 0 to 1"):
        speaking(remarks).progress(fraction)
    assert not remarks


async def test_a_receiver_that_raises_loses_no_end(
    inside: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(remarks: list[Remark]) -> None:
        raise ValueError(remarks)

    pool = inside.pool
    monkeypatch.setattr(pool, "_on_remarks" if hasattr(pool, "_on_remarks") else "_tell_remarks", refuse)
    operation = inside.place("says", lines=["one"])
    await inside.update(operation)
    assert "1 remarks of operations were not taken" in caplog.text


async def test_a_stray_remark_is_dropped_by_the_host(host: Host) -> None:
    """Of an operation that the worker no longer holds, or holds under another token."""
    await host.heated(1, program="inside")
    (child,) = host.pool._children  # type: ignore[attr-defined]
    child._remarked([Remark(12345, TOKEN, 1, NoteKind.LOG, "stray", None, 0)])
    assert host.remarks == []


def test_a_touch_is_a_sign_of_life_and_few_of_them_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be called in the tightest loop; one in a second says enough."""
    seconds = 100.0
    monkeypatch.setattr("opwright.workers.current._monotonic", lambda: seconds)
    said: list[Remark] = []
    running = speaking(said)
    for _ in range(1_000):
        running.touch()
    assert [(one.kind, one.text, one.attempt) for one in said] == [(TOUCH, "", 3)]
    seconds += TOUCH_EVERY
    running.touch()
    assert len(said) == 2


async def test_what_an_operation_says_touches_its_worker(host: Host, tmp_path: Path) -> None:
    """So a worker whose operation goes on telling is never too long with it."""
    await host.heated(1, program="inside")
    gate = tmp_path / "gate"
    host.place("progresses", gate=str(gate))
    (before,) = host.pool.active()
    await host.until(lambda: host.remarks)
    (after,) = host.pool.active()
    assert after.last_touched > before.last_touched
    gate.touch()


async def test_an_end_touches_a_worker_that_goes_on_with_others(host: Host) -> None:
    """A worker with several slots that keeps ending operations is at work, whatever hangs in one of them."""
    await host.heated(1, slots=2)
    hanging = await host.begin("sleep", seconds=60)
    (before,) = host.pool.active()
    assert await host.result("double", number=1) == 2
    (after,) = host.pool.active()
    assert after.last_touched > before.last_touched
    assert after.operations == (hanging,)
