"""A claim: a host's fenced hold on one operation, and the verdicts that end the hold."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from opwright.model.options import Options
from opwright.model.status import OutcomeCode


class DelayReason(IntEnum):
    """Why an operation is not ready yet."""

    START = 1
    RETRY = 2
    WAIT = 3


class NoteKind(IntEnum):
    """What a line of ``operationstatus`` tells."""

    ERROR = 1  # an attempt failed and another follows
    DEATH = 2  # its worker or host died and another attempt follows
    LOG = 3
    PROGRESS = 4  # how far it is; an attempt has one such line, the newest
    OPERATOR = 5
    WAIT = 6  # it gave its place up until it is resumed, or for a while
    RESUMED = 7  # somebody answered


class Claim(msgspec.Struct):
    """One claimed operation, as the scheduler holds it.

    ``token`` is the fence: each later write names it and finds nothing if the claim was given to somebody else meanwhile.
    ``inputs`` is the JSON text of the row. ``errors`` and ``deaths`` are what the two budgets have spent so far, ``lapsed`` how
    many waits in a row nobody answered, ``answers`` the values (JSON texts) of those that somebody did. ``lane`` is the limit it
    runs under; one that is ``paced`` gives its slot back when a period is over, not at its end.
    """

    operation: int
    token: int
    trigger: str
    inputs: str
    queue: str
    rank: int
    errors: int
    deaths: int
    options: Options
    key: str | None = None
    asked: bool = False  # somebody had asked to cancel it before it was claimed
    begun: int | None = None
    submitter: str | None = None
    lane: str | None = None
    paced: bool = False
    lapsed: int = 0
    answers: tuple[str, ...] = ()

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self.errors + self.deaths + 1


class End(msgspec.Struct, frozen=True):
    """Verdict: the operation ends here, with its one outcome. ``result`` is JSON text."""

    code: OutcomeCode
    result: str | None = None
    error: str | None = None
    lapsed: bool = False  # because nobody resumed it; holds only if nobody has done so meanwhile


class Postpone(msgspec.Struct, frozen=True):
    """Verdict: it comes back after ``delay`` seconds."""

    delay: float
    reason: DelayReason
    errors: int
    deaths: int
    note: str | None = None
    kind: NoteKind = NoteKind.ERROR


class Release(msgspec.Struct, frozen=True):
    """Verdict: it is ready again at once. Without a note nothing was charged: a hand-back of what had not begun."""

    errors: int
    deaths: int
    note: str | None = None


Verdict = End | Postpone | Release


def after_error(claim: Claim, error: str, draw: float, pause: float | None = None) -> Verdict:
    """The trigger raised (or ran out of time): retry while the budget lasts, then FAILED. ``pause``: instead of the backoff's."""
    errors = claim.errors + 1
    if errors > claim.options.retries:
        return End(OutcomeCode.FAILED, error=error)
    pause = claim.options.backoff.pause(errors, draw) if pause is None else pause
    return Postpone(pause, DelayReason.RETRY, errors, claim.deaths, note=error)


def after_death(claim: Claim, error: str) -> Verdict:
    """Its worker or host died under it: ready again while recoveries last, then FAILED."""
    deaths = claim.deaths + 1
    if deaths > claim.options.recoveries:
        times = "once" if deaths == 1 else f"{deaths} times"
        return End(OutcomeCode.FAILED, error=f"its worker died {times}; the last time: {error}")
    return _again(claim, deaths, error)


def after_wait(claim: Claim, pause: float, times: int) -> Verdict:
    """It wants to run again later, or when it is resumed: at most so many times in a row that nobody answers, then FAILED."""
    if claim.lapsed >= times:
        return End(OutcomeCode.FAILED, error=f"it waited {times} times in a row, and nobody resumed it", lapsed=True)
    note = f"waits {pause:g} s at most, for the {_ordinal(claim.lapsed + 1)} time of {times}"
    return Postpone(pause, DelayReason.WAIT, claim.errors, claim.deaths, note, NoteKind.WAIT)


def after_retry(claim: Claim, reason: str, draw: float, pause: float | None) -> Verdict:
    """It asked to be tried again: as after an error, so its retries are its bound."""
    if claim.options.retries <= claim.errors:
        reason = f"{reason}; its retries ({claim.options.retries}) are used up"
    return after_error(claim, reason, draw, pause)


def hand_back(claim: Claim) -> Verdict:
    """It had not begun, or was interrupted by a stop: ready again, nothing charged."""
    return _again(claim, claim.deaths)


def _again(claim: Claim, deaths: int, note: str | None = None) -> Verdict:
    """Ready at once. What is paced has had its begin: for another one it must ask for a slot, like what is due."""
    if claim.paced:
        return Postpone(0.0, DelayReason.RETRY, claim.errors, deaths, note, NoteKind.DEATH)
    return Release(claim.errors, deaths, note)


def _ordinal(number: int) -> str:
    return f"{number}{'th' if 10 < number % 100 < 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
