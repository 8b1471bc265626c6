"""The log watcher on Redis: PUBLISH and SUBSCRIBE on one channel."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opwright.errors import ConfigurationError, ExtraMissing, StoreUnavailable
from opwright.service import Outage, Service, heed_cancellation
from opwright.watch.messages import MessageDbLogWatcher

if TYPE_CHECKING:
    from redis.asyncio import Redis

NAME = "redis log watcher"
CHANNEL = "opwright_log"
CONNECT_SECONDS = 2.0
PROBE_PERIOD = 15.0  # of silence, after which it is asked whether the connection still hears
ANSWER_SECONDS = 5.0


class RedisDbLogWatcher(MessageDbLogWatcher):
    """Two connections to a Redis server, one to send and one to listen; of any number of processes with the same ``channel``.

    ``url``: ``redis://user:password@host:6379/0``, ``rediss://`` with TLS, ``unix:///socket``. Raises ExtraMissing, and
    ConfigurationError for an address that makes no sense; ``start()`` raises it where the server refuses user, password
    or database.
    """

    def __init__(self, origin: Callable[[], int], url: str, channel: str = CHANNEL) -> None:
        super().__init__(origin, NAME)
        self._url = url
        self._channel = channel
        self._client = _client(url)
        self._mouth = _mouth(self._client)

    async def check(self) -> str:
        """Ask the server."""
        try:
            await self._ask()
        finally:
            await self._close()
        return f"Redis at {place(self._url)}"

    async def _open(self) -> None:
        with suppress(StoreUnavailable):  # who listens tries again, and tells of it
            await self._ask()

    async def _ask(self) -> None:
        from redis.exceptions import AuthenticationError, AuthorizationError, ResponseError

        with _translated(self._url):
            try:
                await self._client.ping()
            except (AuthenticationError, AuthorizationError, ResponseError) as error:
                refusal = f"Redis at {place(self._url)} refuses its user, password or database: {error}"
                raise ConfigurationError(refusal) from error

    def _listener(self) -> Service | None:
        return _Ear(self._url, self._client, self._channel, self._connected, self._heard)

    async def _send(self, message: str) -> None:
        from redis.exceptions import ConnectionError as Disconnected

        with _translated(self._url):
            try:
                await self._publish(message)
            except Disconnected:  # the server may have ended the connection while nothing was sent
                await self._publish(message)

    async def _publish(self, message: str) -> None:
        """On a connection of our own: a call of the client takes a third of a millisecond longer, because it looks for one."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._mouth.send_command("PUBLISH", self._channel, message)
                await self._mouth.read_response()
        except BaseException as error:
            await self._mouth.disconnect(nowait=True)
            if isinstance(error, TimeoutError):
                raise _silence() from None
            raise

    async def _close(self) -> None:
        await self._mouth.disconnect()
        await self._client.aclose()


class _Ear(Service):
    """Subscribes, and hears one message or a period of silence in each step."""

    def __init__(
        self, url: str, client: Redis, channel: str, connected: Callable[[], None], heard: Callable[[str], None]
    ) -> None:
        super().__init__(NAME)
        self.outage = Outage(f"Redis at {place(url)}")
        self._url = url
        self._client = client
        self._channel = channel
        self._connected = connected
        self._heard = heard
        self._subscription: Any = None

    async def run_once(self) -> float:
        """Subscribe if need be, then wait for a message. Raises StoreUnavailable when the connection is lost, or deaf."""
        try:
            with _translated(self._url):
                if self._subscription is None:
                    await self._subscribe()
                self._take(await self._subscription.get_message(timeout=PROBE_PERIOD) or await self._echo())
        except StoreUnavailable:
            await self._drop()
            raise
        return 0.0

    async def stop(self) -> None:
        """End, and close the connection."""
        await super().stop()
        await self._drop()

    async def _subscribe(self) -> None:
        self._subscription = self._client.pubsub()
        await self._subscription.subscribe(self._channel)
        heed_cancellation()

    async def _echo(self) -> dict[str, Any]:
        """A connection can die without a word: the answer, or whatever else it hears instead."""
        await self._subscription.ping()
        heed_cancellation()
        heard: dict[str, Any] | None = await self._subscription.get_message(timeout=ANSWER_SECONDS)
        if heard is None:
            raise _silence()
        return heard

    def _take(self, message: dict[str, Any]) -> None:
        """The library subscribes anew by itself when it has lost the connection; this is how we hear of it."""
        if message["type"] == "subscribe":
            self._connected()
        elif message["type"] == "message":
            self._heard(message["data"].decode(errors="replace"))

    async def _drop(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.aclose()


def _silence() -> TimeoutError:
    return TimeoutError(f"no answer for {ANSWER_SECONDS:g} s")


def place(url: str) -> str:
    """Where the server is, without user and password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path


def _client(url: str) -> Redis:
    """A client that asks once more at once: the server may have ended the connection while nothing was sent."""
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise ExtraMissing("redis", "redis") from None
    try:
        return Redis.from_url(
            url, retry=Retry(NoBackoff(), 1), socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS
        )
    except ValueError as error:
        raise ConfigurationError(f"no address of a Redis server: {error}") from None


def _mouth(client: Redis) -> Any:
    """A connection without the library's limit for each answer, which costs a task for what it sends: who sends has one."""
    pool = client.connection_pool
    return pool.connection_class(**(pool.connection_kwargs | {"socket_timeout": None}))


@contextmanager
def _translated(url: str) -> Iterator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"Redis at {place(url)}{_trouble(error)}") from error


def _trouble(error: Exception) -> str:
    """What the system says, where it is that; the library puts the address and a full stop around it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if cause is None or cause.errno is None:
        return f": {str(error) or type(error).__name__}"
    reason = os.strerror(cause.errno) if cause.errno > 0 else cause.strerror  # below it is that of a look-up of names
    return f" cannot be reached ({reason}): does it run, and is its address right?"
