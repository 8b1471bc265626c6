"""The watcher of a log station: of the database that the application works on now, begun by whoever needs it first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opwright.commands.commander import Commander
from opwright.errors import ConfigurationError
from opwright.operations.client import Client
from opwright.store.store import Store
from opwright.telemetry import emit, logger
from opwright.watch.log_watcher import DbLogWatcher

AGAIN = 60.0  # seconds until a watcher that could not work is tried again: somebody may have made the folder, or the user


class StationWatcher:
    """Follows the application to another database, where a test may move it."""

    def __init__(self, client: Client, commander: Commander, wake: Callable[[], None]) -> None:
        self._client = client
        self._commander = commander
        self._wake = wake
        self._watcher: DbLogWatcher | None = None
        self._heard: Store | None = None  # whose commits the watcher tells of
        self._turn = asyncio.Lock()  # of whoever starts a watcher, or stops the last one
        self._again_at: float | None = None  # when one that could not work is tried again
        self._over = False

    async def listen(self) -> Store:
        """Have it started. Returns the store of which it tells and hears; raises StoreError."""
        store = await self._client.store()
        if self._is_due(store) or self._turn.locked():
            async with self._turn:  # one that is not started yet tells nobody anything
                if self._is_due(store) and not self._over:
                    await self._change_to(store)
        return store

    async def tell(self) -> None:
        """Let other processes read: something was committed here."""
        await self.listen()
        if self._watcher is not None:
            await self._watcher.changed()

    async def stop(self) -> None:
        """End for good."""
        async with self._turn:
            self._over = True
            if self._watcher is not None:
                await self._watcher.stop()

    def _is_due(self, store: Store) -> bool:
        is_time = self._again_at is not None and self._commander.clock.monotonic() >= self._again_at
        return is_time or self._heard is not store

    async def _change_to(self, store: Store) -> None:
        before, self._watcher = self._watcher, self._commander.log_watcher(store.engine)
        self._watcher.outage = store.outage
        if self._heard is not store:
            self._again_at = None
        try:
            if before is not None:
                await before.stop()
            await self._watcher.start(self._wake)
        except asyncio.CancelledError:  # whoever comes next tries again
            self._heard = None
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the log is polled, and who commits must not suffer
            self._unable(error)
        else:
            self._able()
        self._heard = store

    def _unable(self, error: Exception) -> None:
        name = type(self._watcher).__name__
        emit("watcher.unable", watcher=name, error=error)
        if self._again_at is None:
            logger.error(
                "%s: %s; this process and the others find each other's commits by polling. It is tried again every %g s",
                name, error, AGAIN, exc_info=None if isinstance(error, ConfigurationError) else error,
            )  # fmt: skip
        self._again_at = self._commander.clock.monotonic() + AGAIN

    def _able(self) -> None:
        if self._again_at is not None:
            logger.info("%s works now", type(self._watcher).__name__)
        self._again_at = None
