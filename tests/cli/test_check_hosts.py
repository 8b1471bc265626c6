"""`opwright check` finds what a set-up hides: wrong clocks, missing libraries, forgotten pauses, slots that nobody gives back."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from opwright.admin.check import check_database
from opwright.admin.check_hosts import check_clock
from opwright.admin.finding import Finding, Verdict
from opwright.clock import SECOND, SystemClock
from opwright.model.worker import Worker, WorkerState
from opwright.operations.client import Client
from opwright.store.store import Store, engine_for
from tests.cli.kit import Shell

LONG = 90 * 60 + 30  # seconds: it is shown in minutes, so that half of one may pass between two looks at clocks


class WrongClock(SystemClock):
    """A machine whose clock is off by so many seconds; the database's is not."""

    def __init__(self, seconds: float) -> None:
        self._off = round(seconds * SECOND)

    def now(self) -> int:
        return super().now() + self._off


async def findings(client: Client) -> dict[str, Finding]:
    """What is found, by the name of the check."""
    return {finding.check: finding async for finding in check_database(client, None)}


@pytest.mark.parametrize(
    ("seconds", "verdict", "words"),
    [
        (0, Verdict.RIGHT, "this machine's clock and the database's agree to "),
        (LONG, Verdict.WRONG, "this machine's clock is 1 h 30 min ahead of the database's"),
        (-LONG, Verdict.WRONG, "this machine's clock is 1 h 30 min behind the database's"),
    ],
)
async def test_the_clock_is_compared_with_the_database(
    postgres_database: str, seconds: float, verdict: Verdict, words: str
) -> None:
    """What was measured can be told as precisely as half of what the question took."""
    found = (await findings(Client(postgres_database, WrongClock(seconds), "opwright")))["clock"]
    assert (found.verdict, found.text[: len(words)]) == (verdict, words)
    assert (found.remedy == "set it by NTP") is (verdict is not Verdict.RIGHT)


@pytest.mark.parametrize(
    ("seconds", "unsure", "verdict", "words"),
    [
        (0.5, 0.01, Verdict.RIGHT, "this machine's clock and the database's agree to 500 ms"),
        (1.01, 0.02, Verdict.RIGHT, "this machine's clock and the database's agree to 1.01 s"),
        (3, 0.01, Verdict.DOUBT, "this machine's clock is 3 s ahead of the database's"),
        (-3, 0.01, Verdict.DOUBT, "this machine's clock is 3 s behind the database's"),
        (5.01, 0.02, Verdict.DOUBT, "this machine's clock is 5.01 s ahead of the database's"),
        (60, 0.01, Verdict.WRONG, "this machine's clock is 1 min ahead of the database's"),
    ],
)
def test_a_clock_is_judged_by_its_distance(seconds: float, unsure: float, verdict: Verdict, words: str) -> None:
    """From a second on it is doubtful, from five on wrong, unless the figure is that unsure; what depends on it is said."""
    found = check_clock("clock", "this machine's clock", round(seconds * SECOND), round(unsure * SECOND))
    assert (found.verdict, found.text[: len(words)]) == (verdict, words)
    assert (found.remedy == "set it by NTP") is (verdict is not Verdict.RIGHT)


async def test_the_clock_of_a_host_is_compared_too(database_url: str) -> None:
    """Its workers cannot have moved after the renewal that shows them."""
    client = Client(database_url, SystemClock(), "opwright")
    store = Store(engine_for(database_url, SystemClock()))
    await store.open()
    host = await store.hosts.register(name="ahead:1", pid=1, version="0.1.0", lease=60, queues=None, triggers=["render"])
    later = SystemClock().now() + LONG * SECOND
    await store.hosts.renew(host, judge=False, workers=[Worker("worker-1", 1, WorkerState.FREE, later)])
    await store.close()
    told = [finding async for finding in check_database(client, None) if finding.check == f"host {host.id}"]
    assert [finding.verdict for finding in told] == [Verdict.RIGHT, Verdict.WRONG]
    assert "its clock is 1 h 30 min ahead of the database's" in told[1].text


def test_a_library_that_is_missing_is_a_finding(local_shell: Shell) -> None:
    """Not a traceback; the remedy can be typed. The library is hidden from a real process."""
    (local_shell.folder / "hidden").mkdir()
    local_shell.write("hidden/asyncpg.py", "raise ImportError")
    local_shell.write("app.py", "from opwright import Opwright\nops = Opwright('postgresql://localhost/x')\n")
    for arguments in (("--url", "postgresql://localhost/x"), ("app",)):
        done = local_shell("check", *arguments, PYTHONPATH=str(local_shell.folder / "hidden"))
        assert (done.code, done.err) == (1, "")
        assert done.out == "✗  extra  asyncpg is not installed → pip install 'opwright[postgres]'\n"


def test_a_forgotten_pause_is_doubtful(shell: Shell) -> None:
    with shell.host("--pool", "inline"):
        shell.inside("queues", "pause", "assets", "mail")
        quiet = shell.inside("check", "assets")
        shell.inside("submit", "assets", "render", "photo=a", "--queue", "mail")
        done = shell.inside("check", "assets")
    assert "paused" not in quiet.out
    assert done.code == 0
    assert "!  queue mail   paused since " in done.out
    assert ", and 1 operation waits → opwright queues resume mail" in done.out
    assert "✓  work         none is waiting" in done.out


async def test_slots_of_what_has_ended_are_wrong(sqlite_path: Path) -> None:
    """And of what has been swept since. There must be none. Made by hand here."""
    url = f"sqlite:///{sqlite_path}"
    store = Store(engine_for(url, SystemClock()))
    await store.open()
    await store.close()
    with closing(sqlite3.connect(sqlite_path)) as file, file:
        file.execute("insert into opwright_outcomes (operation, ended, status, attempt) values (77, 1, 1, 1)")
        file.execute(
            "insert into opwright_operations (id, created, priority, trigger, queue, inputs) values (78, 1, 0, 'slow', 'q', '{}')"
        )
        file.execute(
            "insert into opwright_slots (lane, number, operation) "
            "values ('trigger slow', 1, 77), ('trigger slow', 2, 78), ('trigger slow', 3, 79)"
        )
    found = (await findings(Client(url, SystemClock(), "opwright")))["limit trigger slow"]
    assert found.verdict is Verdict.WRONG
    assert found.text == "slots are held by operations that have ended: 77, 79"
