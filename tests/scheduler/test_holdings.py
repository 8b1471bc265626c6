"""What a host holds: claims by operation, and a backlog in claim order."""

import pytest

from opwright.model.claim import Claim
from opwright.model.options import Options
from opwright.scheduler.holdings import Holdings, Reason


def claim(operation: int, rank: int = 0, token: int = 7) -> Claim:
    return Claim(operation, token, "work", "{}", "default", rank, 0, 0, Options())


def given_away(holdings: Holdings) -> list[int]:
    """Give everything that waits to workers; in which order."""
    order = []
    while (line := holdings.first_line()) is not None:
        order.append(line.popleft().operation)
    return order


def give_one(holdings: Holdings) -> None:
    line = holdings.first_line()
    assert line is not None
    line.popleft()


def test_claims_are_given_away_in_claim_order() -> None:
    """First claimed, first given."""
    holdings = Holdings()
    holdings.take([claim(1), claim(2)])
    holdings.take([claim(3)])
    assert (len(holdings), holdings.waiting) == (3, 3)
    assert given_away(holdings) == [1, 2, 3]
    assert (len(holdings), holdings.waiting) == (3, 0)


def test_an_urgent_claim_passes_what_lies_there() -> None:
    """By rank first: the priority negated, so the lowest rank leads."""
    holdings = Holdings()
    holdings.take([claim(1, rank=0), claim(2, rank=5)])
    holdings.take([claim(3, rank=-100)])
    assert given_away(holdings) == [3, 1, 2]


def test_what_was_put_back_leads_its_line() -> None:
    """A worker gave it back: it comes before what was claimed after it, but passes nothing more urgent."""
    holdings = Holdings()
    first, second, urgent = claim(1), claim(2), claim(3, rank=-1)
    holdings.take([first, second])
    give_one(holdings)
    holdings.put_back(first)
    holdings.take([urgent])
    assert holdings.waiting == 3
    assert given_away(holdings) == [3, 1, 2]


def test_one_may_be_withdrawn_from_the_middle() -> None:
    """Its neighbours keep their places, and the claim is still held until its verdict."""
    holdings = Holdings()
    claims = [claim(number) for number in (1, 2, 3)]
    holdings.take(claims)
    assert holdings.is_waiting(claims[1])
    holdings.withdraw(claims[1])
    assert not holdings.is_waiting(claims[1])
    assert (len(holdings), holdings.waiting) == (3, 2)
    assert given_away(holdings) == [1, 3]


def test_only_the_right_token_finds_a_claim() -> None:
    """An answer for an older claim of the same operation finds nothing."""
    holdings = Holdings()
    held = claim(1, token=7)
    holdings.take([held])
    assert holdings.held(1, 7) is held
    assert holdings.held(1, 6) is None
    assert holdings.held(2, 7) is None


def test_draining_empties_the_backlog_and_keeps_the_claims() -> None:
    """What waits comes out, most urgent first; what runs stays."""
    holdings = Holdings()
    running = claim(1, rank=-5)
    holdings.take([running, claim(2, rank=1), claim(3)])
    give_one(holdings)
    assert [each.operation for each in holdings.drain()] == [3, 2]
    assert (holdings.waiting, len(holdings), holdings.first_line()) == (0, 3, None)
    assert holdings.drain() == []


@pytest.mark.parametrize("how", ["end", "clear"])
def test_an_end_forgets_why_it_was_asked(how: str) -> None:
    """The same operation may be claimed again, and starts without a reason."""
    holdings = Holdings()
    held = claim(1)
    holdings.take([held])
    give_one(holdings)
    holdings.asked[1] = Reason.CANCEL
    if how == "end":
        holdings.end(held)
        holdings.end(held)
    else:
        holdings.clear()
    assert (len(holdings), holdings.asked, holdings.waiting) == (0, {}, 0)
