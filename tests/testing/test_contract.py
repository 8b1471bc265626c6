"""Both engines keep the promises that are exported, and an engine that breaks one is found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from opwright.clock import Clock
from opwright.errors import ConfigurationError
from opwright.store.sqlite import SqliteEngine
from opwright.store.statements import Statement
from opwright.testing.contract import EngineContract, MakeEngine

# A promise, and how an engine may break it: a statement, what stands in it, what stands there instead.
BREAKS = {
    EngineContract.test_what_is_urgent_is_claimed_first: ("claim", "order by rank, operation", "order by operation"),
    EngineContract.test_a_claim_keeps_to_its_queue_and_triggers: ("claim", "where queue = :queue and", "where"),
    EngineContract.test_only_the_token_of_the_claim_ends_it: ("finish", "and c.token = given.token", ""),
    EngineContract.test_a_key_has_one_holder: ("finish", "from temp.given where keyed", "from temp.given where not keyed"),
    EngineContract.test_a_delay_is_kept_by_the_clock: ("promote", "where due <=", "where due - 1000000 <="),
    EngineContract.test_a_retry_comes_back_with_what_it_has_spent:
        ("promote", "errors, deaths, trigger, lane from", "0, 0, trigger, lane from"),
    EngineContract.test_the_dead_are_taken_over_once: ("claim", "and state = 1", ""),
    EngineContract.test_the_living_are_left_alone: ("renew", "and renewed + lease <", "and renewed <"),
    EngineContract.test_a_cancel_ends_what_waits_and_asks_what_runs: ("asked", "where c.host = :host", "where c.host <> :host"),
}  # fmt: skip


class TestOurEngines(EngineContract):
    """SQLite and PostgreSQL, as an application's own test would run them."""

    @pytest.fixture
    def url(self, database_url: str) -> str:
        return database_url


class Broken(SqliteEngine):
    """Our own, with a mistake in a statement."""

    def __init__(self, url: str, clock: Clock, statement: str, old: str, new: str) -> None:
        super().__init__(url, clock)
        was = self.statements[statement]
        assert any(old in part.named for part in was.parts), f"{statement} holds no {old!r} any more"
        parts = [replace(part, sql=part.sql.replace(old, new), named=part.named.replace(old, new)) for part in was.parts]
        self.statements = self.statements | {statement: Statement(was.name, tuple(parts), was.reads_only)}


@pytest.mark.parametrize("promise", BREAKS, ids=lambda promise: str(promise.__name__))
def test_an_engine_that_breaks_it_is_found(promise: Callable[[EngineContract, MakeEngine], None], sqlite_path: Path) -> None:
    """By an assertion, not by an accident."""
    with pytest.raises(AssertionError):
        promise(EngineContract(), lambda clock: Broken(f"sqlite:///{sqlite_path}", clock, *BREAKS[promise]))


def test_a_subclass_without_an_address_says_what_is_missing() -> None:
    class TestNothing(EngineContract):
        pass

    with pytest.raises(ConfigurationError, match="TestNothing needs a fixture `url`"):
        EngineContract.url.__wrapped__(TestNothing())  # type: ignore[attr-defined]
