"""A finding: what one check found, and how to mend it."""

from __future__ import annotations

from enum import Enum

import msgspec

from opwright.admin.words import address
from opwright.errors import ExtraMissing, OpwrightError


class Verdict(Enum):
    """How a check came out; only WRONG makes a set-up unfit."""

    RIGHT = "right"
    DOUBT = "doubt"
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """What one check found, and how to mend it."""

    check: str
    verdict: Verdict
    text: str
    remedy: str | None = None


def right(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.RIGHT, text)


def doubt(check: str, text: str, remedy: str | None = None) -> Finding:
    """It works, but perhaps not as meant."""
    return Finding(check, Verdict.DOUBT, text, remedy)


def wrong(check: str, text: str, remedy: str | None = None) -> Finding:
    """It cannot work."""
    return Finding(check, Verdict.WRONG, text, remedy)


def refused(check: str, error: OpwrightError) -> Finding:
    """An error as a finding; a library that is missing is one of its own."""
    text = address(str(error))
    if isinstance(error, ExtraMissing):
        missing, _, remedy = text.partition(": ")
        return wrong("extra", missing, remedy)
    return wrong(check, text)
