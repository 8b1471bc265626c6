"""Verdicts: what becomes of an operation when its attempt has ended so or so."""

from __future__ import annotations

import random
from dataclasses import dataclass

from opwright.errors import OperationExpired, OperationTimeout
from opwright.model.claim import (
    Claim,
    DelayReason,
    End,
    Postpone,
    Verdict,
    after_death,
    after_error,
    after_retry,
    after_wait,
    hand_back,
)
from opwright.model.status import OutcomeCode
from opwright.model.worker import Outcome, StatusUpdate
from opwright.scheduler.holdings import Reason
from opwright.telemetry import logger

INTERRUPTED = frozenset({Outcome.ENDED, Outcome.CANCELLED, Outcome.DIED, Outcome.FAILED})  # what our own stop may have done to it
DONE, SUCCEEDED = Outcome.DONE, OutcomeCode.SUCCEEDED  # a look at the class costs as much as the verdict
UNCOMMITTED = "the transaction that held its end was not committed"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an operation that asks to wait does so (seconds), and how often in a row nobody need answer it.

    ``processing``: the seconds that it may run without a sign of life.
    """

    interval: float = 120.0
    times: int = 3
    processing: float = 3600.0


def verdict_on(
    claim: Claim, update: StatusUpdate, reason: Reason | None, patience: Patience, *, handing_back: bool = False
) -> Verdict:
    """The verdict on an attempt.

    ``reason``: why it was asked to end, if it was. ``handing_back``: what our own stop has interrupted goes back.
    """
    if update.outcome is DONE:
        return End(SUCCEEDED, update.result)
    match update.outcome:
        case Outcome.INVALID | Outcome.UNKNOWN:
            return End(OutcomeCode.FAILED, error=update.error)
        case Outcome.RETURNED if reason is not Reason.CANCEL:  # it had not begun, so no time of its own was up
            return hand_back(claim)
        case _ if reason is not None:
            return asked_verdict(claim, reason, patience)
        case outcome if handing_back and outcome in INTERRUPTED:
            return hand_back(claim)
    return _unfinished(claim, update, patience)


def _unfinished(claim: Claim, update: StatusUpdate, patience: Patience) -> Verdict:
    """It asked for another run, raised, or died: what its budgets say."""
    draw = random.random()  # noqa: S311 - jitter
    match update.outcome:
        case Outcome.DIED:
            logger.warning("operation %s (%s): %s", claim.operation, claim.trigger, update.error)
            return after_death(claim, update.error or "its worker died")
        case Outcome.RETRY:
            return after_retry(claim, update.error or "it asked to be tried again", draw, update.pause)
        case Outcome.WAIT:
            return after_wait(claim, update.pause or patience.interval, update.times or patience.times)
        case Outcome.ENDED:  # lands only where that end was never committed, after all
            return after_error(claim, update.error or UNCOMMITTED, draw)
    return after_error(claim, update.error or "cancelled by itself", draw)


def asked_verdict(claim: Claim, reason: Reason, patience: Patience) -> Verdict:
    """The verdict on what was asked to end, and did."""
    if reason is Reason.CANCEL:
        return End(OutcomeCode.CANCELLED, error="cancelled by request")
    error = _late(claim) if reason is Reason.TIMEOUT else _silent(patience)
    return after_error(claim, f"{type(error).__name__}: {error}", random.random())  # noqa: S311 - jitter


def _late(claim: Claim) -> OperationTimeout:
    return OperationTimeout(f"it ran longer than its timeout of {claim.options.timeout:g} s")


def _silent(patience: Patience) -> OperationExpired:
    return OperationExpired(
        f"it ran for {patience.processing:g} s (the setting maximum_processing) without a sign of life; "
        "let it report progress or call operation.touch(), or give it a timeout as long as it may take"
    )


def tell(claim: Claim, verdict: Verdict) -> None:
    """What went wrong, in a line of the log; all of it stands in the database."""
    if isinstance(verdict, End) and verdict.code is OutcomeCode.FAILED:
        logger.info("operation %s (%s) failed: %s", claim.operation, claim.trigger, (verdict.error or "").partition("\n")[0])
    elif isinstance(verdict, Postpone) and verdict.note is not None and verdict.reason is not DelayReason.WAIT:
        error = verdict.note.partition("\n")[0]
        logger.info("operation %s (%s), again in %.3g s: %s", claim.operation, claim.trigger, verdict.delay, error)
