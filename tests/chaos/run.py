"""A run: server, hosts, submitters and nemesis; then the auditor, then the figures."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
import click
from rich.console import Console
from rich.status import Status

from opwright import Opwright
from tests.chaos.figures import figures, show
from tests.chaos.fleet import Fleet
from tests.chaos.ledger import TABLES
from tests.chaos.nemesis import Nemesis
from tests.chaos.plan import drawn
from tests.chaos.world import PLACES
from tests.kit.processes import ROOT
from tests.servers import EXISTING, PostgresServer, running_postgres

LOOK = 0.2  # seconds
PATIENCE = 120.0  # seconds without any end of an operation, after which the auditor is to say why
STANDING = " + ".join(f"(select count(*) from opwright.{place} where {which})" for place, which in PLACES.items())


class Run:
    """One run in one database."""

    def __init__(self, server: PostgresServer, url: str, folder: Path, console: Console, *, seed: int, operations: int) -> None:
        self._server, self._url, self._folder = server, url, folder
        self._seed, self._operations, self._console = seed, operations, console
        self._began = time.monotonic()
        self._ended = self._standing = 0
        self._plan = drawn(seed, operations)

    async def run(self) -> bool:
        """All of it; whether everything held."""
        async with Opwright(self._url):  # makes its tables
            await self._execute(*TABLES)
        with Fleet(self._url, self._folder, self._seed, self._operations) as fleet:
            self._began = time.monotonic()
            fleet.submit()
            done = await self._rage(fleet)
            seconds = time.monotonic() - self._began
            await fleet.stop()
            holds = await asyncio.to_thread(self._audit, fleet.marker)
            counted = await figures(self._url, self._folder, fleet.events(), done, seconds)
            show(self._console, counted)
            for fallen in fleet.fallen:
                self._console.print(f"FAIL  {fallen}", markup=False)
            return holds and not fleet.fallen

    async def _rage(self, fleet: Fleet) -> dict[str, int]:
        """Until the last fault is over and nothing stands anywhere any more; how often which fault came."""
        nemesis = Nemesis(fleet, self._server, self._url, self._plan, progress=lambda: self._ended, say=self._say)
        raging = asyncio.create_task(nemesis.run())
        try:
            with self._console.status("") as live:
                await self._watch(fleet, raging, live)
        finally:
            raging.cancel()
            await asyncio.wait([raging])
        if not raging.cancelled():
            await raging
        return dict(nemesis.done)

    async def _watch(self, fleet: Fleet, raging: "asyncio.Task[None]", live: Status) -> None:
        moved = time.monotonic()
        while fleet.submitting() or not raging.done() or self._standing:
            before = self._ended
            fleet.tend()
            await self._look()
            live.update(f"{self._ended:,} operations have ended, {self._standing:,} stand somewhere")
            if self._ended > before:
                moved = time.monotonic()
            if time.monotonic() - moved > PATIENCE:
                self._say(f"nothing has ended for {PATIENCE:g} s")
                return
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        with suppress(
            asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError
        ):  # it is cut too, and the server restarts
            connection = await asyncpg.connect(self._url)
            try:
                row = await connection.fetchrow(f"select (select count(*) from opwright.outcomes), {STANDING}")
                self._ended, self._standing = row or (0, 1)
            finally:
                await connection.close()

    async def _execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def _audit(self, marker: str) -> bool:
        """By a program of its own."""
        command = [sys.executable, "-m", "tests.chaos.auditor", self._url, str(self._folder), marker]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        self._console.print(done.stdout + done.stderr, markup=False, highlight=False)
        return done.returncode == 0

    def _say(self, text: str) -> None:
        seconds = time.monotonic() - self._began
        self._console.print(f"{seconds:6.1f} s  {self._ended:7,} ended  {text}", markup=False, highlight=False)


@click.command()
@click.option(
    "--seed", type=int, help="What decides about every fault and every transaction; drawn and printed when it is missing."
)
@click.option("--operations", default=20_000, show_default=True, help="How many are submitted.")
@click.option("--into", type=click.Path(path_type=Path), default="build/chaos", show_default=True, help="Where logs are kept.")
def main(seed: int | None, operations: int, into: Path) -> None:
    """Two hosts, many operations, and everything that can go wrong; exits with 1 when a promise was broken."""
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    console = Console(width=130, soft_wrap=True)
    console.print(f"SEED={seed}", highlight=False)
    if EXISTING:
        raise click.UsageError("the server is restarted, so it must be our own: unset OPWRIGHT_TEST_POSTGRES")
    folder = fresh(into.resolve() / str(seed))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that whoever ends it leaves no hosts behind
    for fault in drawn(seed, operations):
        console.print(f"  {fault}", highlight=False)
    with running_postgres() as server, server.database() as url:
        os.environ["OPWRIGHT_URL"] = url
        holds = asyncio.run(Run(server, url, folder, console, seed=seed, operations=operations).run())
    console.print(f"{'everything held' if holds else 'FAILED'}; logs and journals: {folder}")
    console.print(f"again: make chaos SEED={seed} OPERATIONS={operations}", highlight=False)
    sys.exit(not holds)


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
