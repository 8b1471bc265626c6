"""Settings of a host: what they mean, their defaults, and where they come from: arguments, then ``OPWRIGHT_*`` variables."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypedDict

import msgspec

from opwright.errors import ConfigurationError

PREFIX = "OPWRIGHT_"
MOST_SLOTS = 8192  # a worker process marks each of its slots in memory that it shares with its host
_FIELD = re.compile(r"`\$\.(\w+)|unknown field `(\w+)`")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times are seconds, sizes are megabytes. Each may be given as ``OPWRIGHT_`` and its name in capitals."""

    workers: int = max(os.cpu_count() or 1, 1)
    slots: int | None = None  # None: 1 in a worker process, 100 in process
    pool: Literal["process", "inline"] = "process"
    queues: tuple[str, ...] | None = None  # None: all
    heartbeat: float = 2.0
    look_ahead: Literal["auto", 0] = "auto"
    lease: float = 12.0
    renew: float = 3.0
    stop_grace: float = 30.0
    kill_after: float = 5.0
    unknown_after: float = 60.0
    recycle_after: int | None = None
    recycle_megabytes: int | None = None

    def __post_init__(self) -> None:
        whole = {"workers": self.workers, "slots": self.slots, "recycle_after": self.recycle_after,
                 "recycle_megabytes": self.recycle_megabytes}  # fmt: skip
        for name, count in whole.items():
            if count is not None and count < 1:
                raise ConfigurationError(f"{name}: {count} is less than 1")
        if self.slots is not None and self.slots > MOST_SLOTS:
            raise ConfigurationError(f"slots: {self.slots} is more than {MOST_SLOTS}")
        times = {"heartbeat": self.heartbeat, "lease": self.lease, "renew": self.renew, "unknown_after": self.unknown_after}
        for name, seconds in times.items():
            if not 0 < seconds < float("inf"):
                raise ConfigurationError(f"{name}: {seconds} is not a positive number of seconds")
        for name, seconds in {"stop_grace": self.stop_grace, "kill_after": self.kill_after}.items():
            if not 0 <= seconds < float("inf"):
                raise ConfigurationError(f"{name}: {seconds} is not a number of seconds from 0 on")
        if self.lease < 2 * self.renew:
            raise ConfigurationError(
                f"lease: {self.lease} s must be at least twice renew ({self.renew} s), or one late renewal loses it"
            )


class Overrides(TypedDict, total=False):
    """The settings as arguments."""

    workers: int
    slots: int | None
    pool: Literal["process", "inline"]
    queues: tuple[str, ...] | None
    heartbeat: float
    look_ahead: Literal["auto", 0]
    lease: float
    renew: float
    stop_grace: float
    kill_after: float
    unknown_after: float
    recycle_after: int | None
    recycle_megabytes: int | None


def resolve(arguments: Overrides, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force. Raises ConfigurationError, which names the setting and where it came from."""
    given = _from_environment(environment)
    try:
        return msgspec.convert(given | arguments, Settings, strict=False)
    except msgspec.ValidationError as error:
        field = _FIELD.search(str(error))
        name = (field[1] or field[2]) if field else "settings"
        raise ConfigurationError(_named(name, f"{name}: {error}", given.keys() - arguments.keys())) from None
    except ConfigurationError as error:
        raise ConfigurationError(_named(str(error).partition(":")[0], str(error), given.keys() - arguments.keys())) from None


def _named(name: str, text: str, variables: Collection[str]) -> str:
    """The text under the name that its reader looks for: the variable's, where the value came from one."""
    return text.replace(name, f"{PREFIX}{name.upper()}", 1) if name in variables else text


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: environment.get(PREFIX + name.upper()) for name in Settings.__struct_fields__}
    given: dict[str, Any] = {name: text for name, text in texts.items() if text is not None}
    if "queues" in given:
        given["queues"] = [queue.strip() for queue in given["queues"].split(",") if queue.strip()]
    return given
