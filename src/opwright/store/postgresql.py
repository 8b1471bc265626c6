"""The PostgreSQL engine: asyncpg connections in lanes, so that no part of a host can starve another."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from opwright.clock import Clock
from opwright.errors import ConfigurationError, ExtraMissing, StoreError, StoreUnavailable, StoreUncertain
from opwright.store.engine import Lane, Plan, Rows
from opwright.store.migrations import migrations, missing
from opwright.store.notifier import Notifier
from opwright.store.postgresql_address import SERVER_KEEPALIVES, Addresses, own_parameters
from opwright.store.postgresql_connection import PostgresConnection
from opwright.store.postgresql_errors import doubts_others, translate
from opwright.store.postgresql_lane import PostgresLane
from opwright.store.postgresql_transaction import ISOLATION, OwnTransaction
from opwright.store.statements import POSTGRESQL, Part, load
from opwright.store.surely import past_conflicts

try:
    import asyncpg
except ImportError:  # pragma: no cover - the extra is not installed
    asyncpg = None  # type: ignore[assignment,unused-ignore]

T = TypeVar("T")
OLDEST = 140_000
CONNECTIONS = {Lane.CLIENT: 5, Lane.CLAIM: 1, Lane.SETTLE: 1, Lane.CONTROL: 1, Lane.LEASE: 1, Lane.SWEEP: 1, Lane.OWN: 20}
STATEMENT_SECONDS = 30.0
STATEMENTS = 100  # that a connection of callers keeps prepared, as the driver does where nobody says anything
ANSWER_SECONDS = 5.0  # that we are more patient than the server: when it gives a statement up, nothing was done, and we know it
ASKED_SECONDS = 30.0  # that ends are told after somebody has asked; who waits asks again well before
MIGRATION_SECONDS = 3600.0
# Our statements all go by an index, in its order. The queue's tables are mostly empty or never analyzed, and a plan that scans or
# sorts them, right for so few rows, is kept and used when there are millions.
# The fence is a row, so read committed is enough, whatever the database's default makes of other programs.
_SETTINGS = {
    "enable_seqscan": "off",
    "enable_sort": "off",
    "enable_bitmapscan": "off",
    "application_name": "opwright",
    "jit": "off",
    "default_transaction_isolation": "read committed",
    # What a host that is frozen or gone has left behind must not keep its locks.
    "statement_timeout": f"{STATEMENT_SECONDS:g}s",
    "idle_in_transaction_session_timeout": f"{STATEMENT_SECONDS:g}s",
}
# Claims and ends go by the same indexes whatever their values, but their limits make a plan for all values look dear: the planner
# would plan each claim anew as soon as there are many rows.
_LANE_SETTINGS = {
    Lane.CLAIM: {"synchronous_commit": "off", "plan_cache_mode": "force_generic_plan"},
    Lane.SETTLE: {"plan_cache_mode": "force_generic_plan"},
}


class PostgresEngine:
    """One PostgreSQL database, seen from one event loop of one process.

    Address: ``postgresql://user:password@host:port/database``. Opwright's own parameters after ``?``: ``schema``, ``pooled=true``
    (through PgBouncer in transaction mode: no prepared statements, no start-up settings) and ``listen_url`` (a direct address
    for LISTEN). The others go to the driver.
    """

    dialect = POSTGRESQL

    def __init__(self, url: str, clock: Clock, schema: str = "opwright") -> None:
        if asyncpg is None:
            raise ExtraMissing("asyncpg", "postgres")
        self.url, own = own_parameters(url)
        self.clock = clock
        self.crowded = False  # which makes no difference here
        self.schema = own.get("schema", schema)
        self.pooled = own.get("pooled", "false").lower() in ("true", "1", "yes", "on")
        self.listen_url = own.get("listen_url", None if self.pooled else self.url)
        self._addresses = Addresses(self.url)
        self.statements = load(POSTGRESQL, self.schema)
        self.channel = f"opwright_{self.schema}"
        self.ends_channel, self.waits_channel = f"{self.channel}_ends", f"{self.channel}_waits"
        self.log_channel = f"{self.channel}_log"
        self._waited_for = 0.0  # until when somebody elsewhere wants to hear of ends; monotonic
        self._gate = zlib.crc32(f"opwright gate {self.schema}".encode())
        self._lanes: dict[Lane, PostgresLane] = {}
        self._listeners: list[PostgresConnection] = []
        self._notifier = Notifier(partial(self._send_notification, self.channel))
        self._ends_notifier = Notifier(partial(self._send_notification, self.ends_channel))
        self._speakers: list[PostgresConnection] = []  # those that send our notifications

    async def open(self) -> None:
        """Connect, check the server's version, and install or check the schema."""
        self._lanes = self._made()
        try:
            await self._install(upgrade=False)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Send a notification that is due, and close every connection."""
        if self._lanes:
            await self._notifier.close()
            await self._ends_notifier.close()
        lanes, self._lanes = self._lanes, {}
        await asyncio.gather(*(lane.close() for lane in lanes.values()))

    def abandon(self) -> None:
        """Close the sockets; the server notices."""
        lanes, self._lanes = self._lanes, {}
        for lane in lanes.values():
            lane.abandon()
        for listener in self._listeners:
            listener.abandon()

    @property
    def senders(self) -> set[int]:
        """The server processes that send our notifications."""
        return {one.raw.get_server_pid() for one in _still_open(self._speakers)}

    async def run(self, name: str, lane: Lane = Lane.CLIENT, /, **values: Any) -> Rows:
        """Run one named statement: a transaction of its own."""
        statement, given = self.statements[name], self.values(values)
        fetch = partial(self._fetch, statement.parts[0], lane, given)
        try:
            return await past_conflicts(fetch)
        except StoreUncertain:  # the connection may have died while nobody used it
            if not statement.reads_only:
                raise
        return await past_conflicts(fetch)

    def go_ahead(self) -> bool:
        """Whether a submit may be seen before it is on disk: unless another one went, or told others, a moment ago."""
        return self._notifier.carry()

    async def flush(self) -> None:
        """Have everything that was committed before on disk."""
        for _ in range(2):  # turns of the loop until a host that was woken has sent its claim, or begun
            await asyncio.sleep(0)
        try:
            await self.run("flush")
        except StoreError as error:
            raise StoreUncertain(f"committed, but nobody knows whether it is on disk: {error}") from error

    async def _fetch(self, part: Part, lane: Lane, values: dict[str, Any]) -> Rows:
        async with self._translated(), self._lane(lane).connection() as connection, self._pinned(connection):
            return await connection.fetch(part, values)

    async def play(self, plan: Plan[T], lane: Lane = Lane.CLIENT) -> T:
        """Run a plan in one transaction."""
        async with (
            self._translated(),
            self._lane(lane).connection() as connection,
            connection.raw.transaction(isolation=ISOLATION),
        ):
            try:
                step = next(plan)
                while True:
                    part = self.statements[step.name].parts[0]
                    step = plan.send(await connection.fetch(part, self.values(step.values)))
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    def transaction(self) -> OwnTransaction:
        """A transaction on a connection that none of our statements uses; what goes wrong in it, the caller sees as it is."""
        return OwnTransaction(self._lane(Lane.OWN), pooled=self.pooled)

    @property
    def is_full(self) -> bool:
        """Whether another one has to end before such a transaction can begin."""
        return self._lane(Lane.OWN).is_full

    def notify(self) -> None:
        """Send a notification soon; many calls become one."""
        self._notifier.send()

    def notify_ends(self) -> None:
        """Notify those who wait for results, if there are any: where nobody does, an end costs no notification."""
        if self.clock.monotonic() < self._waited_for:
            self._ends_notifier.send()

    async def ask_for_ends(self) -> None:
        """Notify the hosts that somebody waits."""
        await self._send_notification(self.waits_channel)

    def asked_for_ends(self) -> None:
        """Somebody in another process waits."""
        self._waited_for = self.clock.monotonic() + ASKED_SECONDS

    async def migrate(self) -> list[int]:
        """Bring the schema to this program's version."""
        self._lanes = self._lanes or self._made()
        return await self._install(upgrade=True)

    async def connect(self, lane: Lane) -> PostgresConnection:
        """A new connection for a lane. Raises StoreUnavailable."""
        settings = {} if self.pooled else dict(SERVER_KEEPALIVES)
        cached = 0 if self.pooled else STATEMENTS
        if lane is Lane.OWN:  # the caller's statements want the planner as the server has it, and their own time
            from opwright.store.postgresql_own import OwnConnection

            raw = await self._addresses.connect(command_timeout=None, settings=settings, cached=cached, kind=OwnConnection)
            raw.prepares = not self.pooled
            return PostgresConnection(raw, prepares=False)
        if not self.pooled:
            settings |= _SETTINGS | _LANE_SETTINGS.get(lane, {})
        raw = await self._addresses.connect(command_timeout=STATEMENT_SECONDS + ANSWER_SECONDS, settings=settings)
        connection = PostgresConnection(raw, prepares=not self.pooled)
        if lane in (Lane.CONTROL, Lane.CLIENT):
            self._speakers = [*_still_open(self._speakers), connection]
        return connection

    async def listen(self, channels: dict[str, Callable[..., None]]) -> Any:
        """A connection of its own that calls a function for each notification on a channel."""
        async with self._translated():
            addresses = Addresses(self.listen_url or self.url)
            raw = await addresses.connect(command_timeout=STATEMENT_SECONDS + ANSWER_SECONDS, settings={})
            try:
                for channel, callback in channels.items():
                    await raw.add_listener(channel, callback)
            except BaseException:
                raw.terminate()
                raise
            self._listeners = [*_still_open(self._listeners), PostgresConnection(raw, prepares=False)]
            return raw

    async def _install(self, *, upgrade: bool) -> list[int]:
        async with self._translated(), self._lane(Lane.CONTROL).connection() as connection:
            raw = connection.raw
            await self._check_version(raw)
            async with raw.transaction(isolation=ISOLATION):
                await raw.execute(f"select pg_advisory_xact_lock({self._gate + 1})")
                applied = await self._applied(raw)
                steps = missing(migrations(POSTGRESQL, self.schema), applied, upgrade=upgrade)
                for step in steps:
                    await raw.execute("set local statement_timeout = 0")
                    await raw.execute(";".join(step.statements), timeout=MIGRATION_SECONDS)
                    record = f"insert into {self.schema}.migrations values ($1, $2, $3)"
                    await raw.execute(record, step.version, step.name, self.clock.now())
        return [step.version for step in steps]

    async def _check_version(self, raw: Any) -> None:
        version = int(await raw.fetchval("select current_setting('server_version_num')"))
        if version < OLDEST:
            raise ConfigurationError(f"PostgreSQL {version // 10_000} is too old: 14 or newer is needed")

    async def _applied(self, raw: Any) -> set[int]:
        """The versions in the database; the first visit makes the schema and the table that records them."""
        exists = await raw.fetchval("select to_regclass($1)", f"{self.schema}.migrations")
        if exists is None:
            await raw.execute(f"create schema if not exists {self.schema}")
            await raw.execute(
                f"create table {self.schema}.migrations "
                "(version integer primary key, name text not null, applied bigint not null)",
            )
            return set()
        rows = await raw.fetch(f"select version from {self.schema}.migrations")
        return {row[0] for row in rows}

    def _made(self) -> dict[Lane, PostgresLane]:
        return {lane: PostgresLane(partial(self.connect, lane), CONNECTIONS[lane]) for lane in Lane}

    def _lane(self, lane: Lane) -> PostgresLane:
        if not self._lanes:
            raise StoreUnavailable("the database is not open: use `async with ops:` or start a host")
        return self._lanes[lane]

    def values(self, values: dict[str, Any]) -> dict[str, Any]:
        """What a statement is given: the values of its call, as this database takes them, and our own."""
        return {"now": self.clock.stamp(), "gate": self._gate, "channel": self.channel, "tell": False, "ahead": False} | values

    @asynccontextmanager
    async def _pinned(self, connection: PostgresConnection) -> AsyncIterator[None]:
        """Behind PgBouncer parse and execute must meet the same server connection, so even one statement is a transaction."""
        if not self.pooled:
            yield
            return
        async with connection.raw.transaction(isolation=ISOLATION):
            yield

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            yield
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
            if doubts_others(error):
                for lane in self._lanes.values():
                    lane.renew()
            raise translate(error) from error

    async def _send_notification(self, channel: str) -> None:
        await self.run("notify", Lane.CONTROL, channel=channel)


def _still_open(connections: list[PostgresConnection]) -> list[PostgresConnection]:
    return [one for one in connections if not one.raw.is_closed()]
