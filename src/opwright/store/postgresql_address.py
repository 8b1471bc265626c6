"""The addresses of a PostgreSQL database, and how a connection to one of them is made."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from opwright.errors import ConfigurationError, StoreError, StoreStarting, StoreUnavailable

try:
    import asyncpg
except ImportError:  # pragma: no cover - the extra is not installed
    asyncpg = None  # type: ignore[assignment,unused-ignore]

CONNECT_SECONDS = 10.0
# A peer that is gone without a word: what we sent is unanswered for so long, or the connection was silent and three probes were.
UNANSWERED_MILLISECONDS = 15_000
SILENT_SECONDS, PROBE_SECONDS, PROBES = 15, 5, 3
# The same on the server's side, so that it ends the transactions of machines that are gone, and what they hold locked.
SERVER_KEEPALIVES = {
    "tcp_keepalives_idle": str(SILENT_SECONDS),
    "tcp_keepalives_interval": str(PROBE_SECONDS),
    "tcp_keepalives_count": str(PROBES),
    "tcp_user_timeout": str(UNANSWERED_MILLISECONDS),
}


class Addresses:
    """Where one database may be found: ``postgresql://user@first,second:5433/name`` names two servers.

    Of several servers only one that takes writes is used, unless ``target_session_attrs`` says otherwise. The one that was
    right the last time is tried first. The driver could try them in turn too, but under one time limit for all, which a
    server that swallows packets uses up alone.
    """

    def __init__(self, url: str) -> None:
        self._urls = _one_by_one(url)
        if len(self._urls) > 1 and "target_session_attrs=" not in url:
            self._urls = [f"{one}{'&' if '?' in one else '?'}target_session_attrs=read-write" for one in self._urls]

    async def connect(self, *, command_timeout: float | None, settings: dict[str, str], cached: int = 0, kind: Any = None) -> Any:
        """A connection of the driver, or of a class made from its own, with so many statements ``cached``.

        Raises StoreError, StoreUnavailable, StoreStarting; the text says what to look at.
        """
        refusals: list[StoreError] = []
        for url in tuple(self._urls):
            try:
                raw = await self._connected(url, command_timeout, settings, cached, kind or asyncpg.Connection)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
                refusals.append(_refusal(error))
                refusals[-1].__cause__ = error
                continue
            self._urls.remove(url)
            self._urls.insert(0, url)
            return raw
        raise min(refusals, key=_silence)

    async def _connected(self, url: str, command_timeout: float | None, settings: dict[str, str], cached: int, kind: Any) -> Any:
        raw = await asyncpg.connect(
            url, statement_cache_size=cached, command_timeout=command_timeout, timeout=CONNECT_SECONDS,
            server_settings=settings, connection_class=kind,
        )  # fmt: skip
        _keep_alive(raw)
        return raw


def own_parameters(url: str) -> tuple[str, dict[str, str]]:
    """The address for the driver, and the parameters that are ours. Raises ConfigurationError."""
    parts = urlsplit(url)
    for host in parts.netloc.rpartition("@")[2].split(","):
        try:
            _ = urlsplit(f"//{host}").port
        except ValueError as error:
            raise ConfigurationError(f"the address has a wrong port: {error}") from None
    pairs = parse_qsl(parts.query)
    own = {key: value for key, value in pairs if key in ("schema", "pooled", "listen_url")}
    rest = urlencode([(key, value) for key, value in pairs if key not in own])
    return urlunsplit(("postgresql", parts.netloc, parts.path, rest, parts.fragment)), own


def libpq_parameters(url: str, *, pooled: bool) -> dict[str, Any]:
    """What libpq needs to be told to do the same; it goes through the servers by itself. What the address says comes first."""
    ours: dict[str, Any] = {
        "connect_timeout": round(CONNECT_SECONDS),  # libpq has none of its own
        "keepalives_idle": SILENT_SECONDS,
        "keepalives_interval": PROBE_SECONDS,
        "keepalives_count": PROBES,
        "tcp_user_timeout": UNANSWERED_MILLISECONDS,
    }
    if len(_one_by_one(url)) > 1:
        ours["target_session_attrs"] = "read-write"
    if not pooled:
        ours["options"] = " ".join(f"-c {name}={value}" for name, value in SERVER_KEEPALIVES.items())
    given = {name for name, _ in parse_qsl(urlsplit(url).query)}
    return {name: value for name, value in ours.items() if name not in given}


def _one_by_one(url: str) -> list[str]:
    """An address for each of the servers that one address names."""
    parts = urlsplit(url)
    who, at, hosts = parts.netloc.rpartition("@")
    return [urlunsplit(parts._replace(netloc=f"{who}{at}{host}")) for host in hosts.split(",")]


def _reason(error: OSError | TimeoutError) -> str:
    """What the system says; asyncio puts an address of its own in the place of that."""
    if error.errno is not None and error.errno > 0:  # below are those of a look-up of names
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


def _refusal(error: Exception) -> StoreError:
    """Why there is no connection."""
    if isinstance(error, asyncpg.CannotConnectNowError):
        return StoreStarting(f"PostgreSQL takes no connections now: {error}")
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return StoreUnavailable("none of the servers in the address takes writes: is a standby being promoted?")
    if isinstance(error, asyncpg.ProtocolViolationError):
        hint = "; behind PgBouncer add ?pooled=true to the address" if "startup parameter" in str(error) else ""
        return StoreUnavailable(f"PostgreSQL refused the connection: {error}{hint}")
    if isinstance(error, OSError | TimeoutError):
        reason = _reason(error)
        return StoreUnavailable(f"PostgreSQL cannot be reached ({reason}): does it run, and is its address right?")
    state = getattr(error, "sqlstate", None) or ""
    kind = StoreError if state[:2] in ("28", "3D", "42") else StoreUnavailable  # who asks, and for what, is wrong
    return kind(f"{type(error).__name__}: {error}")


def _silence(refusal: StoreError) -> tuple[bool, bool]:
    """A server that starts up says most, one that does not answer least."""
    return not isinstance(refusal, StoreStarting), isinstance(refusal.__cause__, OSError | TimeoutError)


def _keep_alive(raw: Any) -> None:
    """Have the kernel notice a server that is gone without a word; statements of a caller have no other limit."""
    with suppress(AttributeError, OSError):  # not on every platform, and not on a Unix socket
        transport = raw._transport  # noqa: SLF001 - the driver has no setting for it
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as own:
            if own.family == socket.AF_UNIX:
                return
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_SECONDS)
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_SECONDS)
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MILLISECONDS)
