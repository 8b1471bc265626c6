"""What became of a write whose answer was lost is told only when it is known."""

import pytest

from opwright.errors import DuplicateRow, StoreBusy, StoreConflict, StoreError, StoreUnavailable, StoreUncertain
from opwright.store import surely
from opwright.store.engine import Plan, call


class Lost:
    """A write whose first answer is lost, and the answers to those that follow."""

    def __init__(self, *answers: Exception | str) -> None:
        self._answers = list(answers)

    async def write(self) -> str:
        raise StoreUncertain("lost")

    async def repeat(self) -> str:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


TROUBLE = [StoreUnavailable("away"), StoreBusy("busy"), StoreConflict("conflict"), StoreError("password refused")]


@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda error: type(error).__name__)
async def test_trouble_while_asking_what_became_of_it_does_not_mean_that_it_failed(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever refuses the second, the first may have been committed."""
    monkeypatch.setattr(surely, "SECONDS", 0.05)
    lost = Lost(trouble)
    with pytest.raises(StoreUncertain, match="may be stored or not"):
        await surely.surely(lost.write, lost.repeat)


@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda error: type(error).__name__)
async def test_when_the_trouble_is_over_the_answer_is_told(trouble: Exception) -> None:
    lost = Lost(trouble, trouble, "stored")
    assert await surely.surely(lost.write, lost.repeat) == "stored"


async def test_a_refusal_of_the_row_is_an_answer() -> None:
    """It would have refused the first one too."""
    lost = Lost(DuplicateRow("another's"))
    with pytest.raises(DuplicateRow):
        await surely.surely(lost.write, lost.repeat)


class Contested:
    """An engine that rolls back the first transactions because of a conflict."""

    def __init__(self, conflicts: int) -> None:
        self._conflicts = conflicts

    async def play(self, plan: Plan[str]) -> str:
        played = next(plan)
        if self._conflicts:
            self._conflicts -= 1
            raise StoreConflict("deadlock")
        return played.name


def _plan() -> Plan[str]:
    yield call("only")
    return ""


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> int:
    """No pauses between the tries; how many conflicts in a row are got past."""
    monkeypatch.setattr(surely, "PAUSES", (0.0,) * len(surely.PAUSES))
    return len(surely.PAUSES)


async def test_a_plan_begins_anew_after_a_conflict(hurried: int) -> None:
    """What it had done was rolled back, so it is played from its first statement."""
    assert await surely.played(Contested(hurried), _plan) == "only"  # type: ignore[arg-type]


async def test_a_plan_that_meets_too_many_conflicts_is_told(hurried: int) -> None:
    """The caller decides then."""
    with pytest.raises(StoreConflict):
        await surely.played(Contested(hurried + 1), _plan)  # type: ignore[arg-type]
