"""The guide to databases that go away: its numbers are those of the program, its lines those of the log."""

import logging
import re
from pathlib import Path

import pytest

import opwright
from opwright import service
from opwright.app import host, patience
from opwright.errors import StoreUnavailable
from opwright.scheduler import settler
from opwright.scheduler.lease import Terms
from opwright.service import Outage, Service
from opwright.store import postgresql, postgresql_address, surely
from opwright.store.postgresql_address import Addresses
from opwright.watch import postgresql as watch

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "database-away.md").read_text()


REFUSED = "PostgreSQL cannot be reached (Connection refused): does it run, and is its address right?"


class Lease(Service):
    """As the host's, as far as the log is concerned."""

    async def run_once(self) -> float:
        return 0.0


def test_the_lines_of_the_log_are_these(caplog: pytest.LogCaptureFixture) -> None:
    """One when it goes, one when it is back."""
    outage, lease = Outage(), Lease("lease")
    with caplog.at_level(logging.INFO, "opwright"):
        outage.begins(
            lease, StoreUnavailable("PostgreSQL cannot be reached (Connection refused): does it run, and is its address right?")
        )
        outage.ends(lease)
    gone, back = (f"{record.levelname:<7} {record.name}: {record.message}" for record in caplog.records)
    assert gone in GUIDE
    assert re.sub(r"[0-9.]+ s", "41.3 s", back) in GUIDE


LIMITS: dict[str, tuple[float, float]] = {
    "at most five seconds": (service.LONGEST_PAUSE, 5),
    "the newest 20,000": (settler.MOST_REMARKS, 20_000),
    "While more than 20,000 of both wait": (settler.MOST_UNWRITTEN, 20_000),
    "up to a minute": (patience.SECONDS, 60),
    "at most 25 seconds": (2 * host.FLUSH_SECONDS + host.GOOD_BYE_SECONDS, 25),
    "stayed away for 30 seconds": (surely.SECONDS, 30),
    "| connecting to one server | 10 s |": (postgresql_address.CONNECT_SECONDS, 10),
    "counted by the server; ": (postgresql.STATEMENT_SECONDS, 30),
    "| 30 s; 35 s |": (postgresql.STATEMENT_SECONDS + postgresql.ANSWER_SECONDS, 35),
    "4.5 s by default": ((Terms().lease - Terms().renew) / 2, 4.5),
    "| 15 s; ": (postgresql_address.UNANSWERED_MILLISECONDS, 15_000),
    "; 30 s |": (postgresql_address.SILENT_SECONDS + postgresql_address.PROBES * postgresql_address.PROBE_SECONDS, 30),
    "| 20 s |": (watch.PROBE_PERIOD + watch.ECHO_SECONDS, 20),
}


@pytest.mark.parametrize("words", LIMITS)
def test_the_limits_are_these(words: str) -> None:
    """Each number of the page, beside the one that it stands for."""
    actual, told = LIMITS[words]
    assert words in GUIDE
    assert actual == told


def test_the_errors_are_public_and_the_address_is_understood() -> None:
    """What the page names can be imported; what it writes can be written."""
    for name in re.findall(r"`(Store\w+)`", GUIDE):
        assert name in opwright.__all__
    (url,) = re.findall(r"^postgresql://.*$", GUIDE, re.MULTILINE)
    attributes = "target_session_attrs=read-write"
    assert Addresses(url)._urls == [f"postgresql://app@db1/shop?{attributes}", f"postgresql://app@db2:5433/shop?{attributes}"]
