"""Every setting, declared once: name, type, default, unit, bounds, meaning, and the name that a seed gave it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypedDict, Union, get_args, get_origin

import msgspec

from opwright.errors import ConfigurationError

PREFIX = "OPWRIGHT_"
MOST_SLOTS = 8192  # a worker process marks each of its slots in memory that it shares with its host
_UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "h": "hours"}
_KIND_WORDS = {int: "a whole number", float: "a number", str: "text"}


class Seed(msgspec.Struct, frozen=True):
    """The variable by which a seed system sets the same, its unit, and how many of its units are one of ours."""

    variable: str
    unit: str
    scale: float


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a type does not tell. ``least`` and ``most`` may be reached, ``above`` may not."""

    meaning: str
    unit: str | None = None
    least: float | None = None
    above: float | None = None
    most: float = math.inf
    unset: str | None = None  # the default in words, where its value does not tell
    seed: Seed | None = None


def _check(declared: msgspec.Struct) -> None:
    for name in declared.__struct_fields__:
        setting, value = TABLE[name], getattr(declared, name)
        if not setting.allows(value):
            raise ConfigurationError(f"{name}: {value!r} is not {setting.wanted()}")


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """Where the operations of an application live, and what goes for all of its processes."""

    url: Annotated[
        str, About(meaning="the database: `sqlite:///file.db` or `postgresql://user@host/database`", unset="none")
    ] = ""  # fmt: skip
    schema: Annotated[str, About(meaning="the schema of the tables, on SQLite a prefix of their names")] = "opwright"
    log_watcher: Annotated[
        str,
        About(meaning="what tells other processes of commands: `auto` (NOTIFY on PostgreSQL, a folder beside a SQLite file), "
              "`redis://…`, `file:/folder`, `none`: they poll"),
    ] = "auto"  # fmt: skip
    event_retries: Annotated[
        int,
        About(meaning="how often an event is tried again before it is Discarded, unless it says otherwise", least=0, most=10_000),
    ] = 5  # fmt: skip

    def __post_init__(self) -> None:
        _check(self)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a host works. Times are seconds, ages of records hours, sizes MiB; each value is checked where it is given."""

    workers: Annotated[int, About(meaning="worker processes", least=1, unset="the number of cores")] = max(os.cpu_count() or 1, 1)
    slots: Annotated[
        int | None,
        About(meaning="operations at a time: in each worker process, or in all if the pool is inline", least=1, most=MOST_SLOTS,
              unset="1; inline: 100"),
    ] = None  # fmt: skip
    pool: Annotated[
        Literal["process", "inline"],
        About(meaning="`process`, or `inline`: no worker processes, for tests and tiny applications"),
    ] = "process"
    queues: Annotated[tuple[str, ...] | None, About(meaning="the queues to serve", unset="all")] = None
    heartbeat: Annotated[
        float, About(meaning="time between two claims when nothing wakes the scheduler earlier", unit="s", above=0)
    ] = 2.0
    look_ahead: Annotated[
        Literal["auto", 0],
        About(meaning="`auto`: claim ahead for triggers measured below 5 ms; `0`: never more than there are free workers"),
    ] = "auto"
    lease: Annotated[
        float,
        About(meaning="time after which a silent host counts as dead, by the database's clock; at least twice `renew`", unit="s",
              above=0),
    ] = 12.0  # fmt: skip
    renew: Annotated[float, About(meaning="time between two renewals of the lease", unit="s", above=0)] = 3.0
    stop_grace: Annotated[
        float, About(meaning="time that running operations have to finish when the host stops", unit="s", least=0)
    ] = 30.0
    kill_after: Annotated[
        float, About(meaning="time between asking an operation to stop and killing its worker", unit="s", least=0)
    ] = 5.0
    unknown_after: Annotated[
        float, About(meaning="time after which an operation whose trigger no live host knows ends FAILED", unit="s", above=0)
    ] = 60.0
    wait_interval: Annotated[
        float,
        About(meaning="how long an operation stays in WAIT when nobody answers", unit="s", above=0,
              # Requirements DAM-85 and DAM-88; its published default, 120000 for two minutes, tells the unit.
              seed=Seed("OPERATION_WAIT_INTERVAL", "ms", 1000)),
    ] = 120.0  # fmt: skip
    waits: Annotated[int, About(meaning="waits in a row that nobody answered, after which an operation ends FAILED", least=1)] = 3
    maximum_processing: Annotated[
        float,
        # Requirements DAM-70 and DAM-72; the seed publishes neither a name nor a default.
        About(meaning="time that an operation may run without a sign of life (progress, a line of log, `operation.touch()`), "
              "or its `timeout` where that is longer", unit="s", above=0),
    ] = 3600.0  # fmt: skip
    worker_maximum: Annotated[
        float,
        # Requirements DAM-75 and DAM-77; as above.
        About(meaning="time that a worker process may be with one operation without a sign of life, after which it is killed and "
              "replaced", unit="s", above=0),
    ] = 3900.0  # fmt: skip
    worker_megabytes: Annotated[
        int | None,
        About(meaning="memory of a worker process above which it is killed while an operation runs in it; Linux only", unit="MiB",
              least=1, unset="no limit"),
    ] = None  # fmt: skip
    recycle_after: Annotated[
        int | None, About(meaning="operations after which a worker process is replaced", least=1, unset="never")
    ] = None
    recycle_megabytes: Annotated[
        int | None,
        About(meaning="memory of a worker process above which it is replaced, once its operation has ended", unit="MiB", least=1,
              unset="never"),
    ] = None  # fmt: skip
    keep_succeeded: Annotated[
        float | Literal["never"],
        About(meaning="how long the record of one that succeeded is kept from its end, 165 s at least; `never`: for ever",
              unit="h", least=0),
    ] = 24.0  # fmt: skip
    keep_cancelled: Annotated[
        float | Literal["never"], About(meaning="the same for one that was cancelled", unit="h", least=0)
    ] = 24.0  # fmt: skip
    keep_failed: Annotated[
        float | Literal["never"], About(meaning="the same for one that failed", unit="h", least=0)
    ] = 336.0  # fmt: skip
    keep_events: Annotated[
        float | Literal["never"],
        About(meaning="the same for an event that was Processed; one that was Discarded is kept like others that failed",
              unit="h", least=0),
    ] = 1.0  # fmt: skip
    sweep_interval: Annotated[
        float, About(meaning="time between two deletions of such records, of all hosts together", unit="s", above=0)
    ] = 60.0
    keep_log: Annotated[
        float,
        About(meaning="how long an entry of the log of commands is kept, ten minutes at least", unit="h", least=0),
    ] = 0.5  # fmt: skip
    trim_interval: Annotated[
        float,
        About(
            meaning="time between two deletions of such entries, give or take a quarter, of all hosts together", unit="s", above=0
        ),
    ] = 900.0
    dam_cleanup: Annotated[
        Literal["auto", "on", "off"],
        About(meaning="the clean-up of failed operations as the DAM framework has it; `auto`: if one of its keys is set"),
    ] = "auto"
    # Requirements DAM-26 to DAM-34 and DAM-96 to DAM-99.
    failed_age: Annotated[
        float | None,
        About(meaning="that clean-up deletes failed operations that were submitted so long ago", unit="h", least=0, unset="24 h",
              seed=Seed("FAILED_OPERATION_THRESHOLD_TIME_HOURS", "h", 1)),
    ] = None  # fmt: skip
    failed_records: Annotated[
        int | None,
        About(meaning="and the oldest of them as soon as there are so many, until there are fewer", unit="records", least=1,
              unset="20000 records",
              seed=Seed("FAILED_OPERATION_THRESHOLD_LIMIT_RECORDS", "records", 1)),
    ] = None  # fmt: skip
    failed_interval: Annotated[
        float | None,
        About(meaning="time between two such clean-ups, of all hosts together", unit="s", least=1, unset="3600 s",
              # No seed tells the unit. Its other interval counts milliseconds, and its keys in other units name them.
              seed=Seed("POLL_FAILED_OPERATIONS_INTERVAL", "ms", 1000)),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        _check(self)
        if self.lease < 2 * self.renew:
            raise ConfigurationError(
                f"lease: {self.lease} s must be at least twice renew ({self.renew} s), or one late renewal loses it"
            )


class Overrides(TypedDict, total=False):
    """The settings of a host as arguments."""

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
    wait_interval: float
    waits: int
    maximum_processing: float
    worker_maximum: float
    worker_megabytes: int | None
    recycle_after: int | None
    recycle_megabytes: int | None
    keep_succeeded: float | Literal["never"]
    keep_cancelled: float | Literal["never"]
    keep_failed: float | Literal["never"]
    keep_events: float | Literal["never"]
    sweep_interval: float
    keep_log: float
    trim_interval: float
    dam_cleanup: Literal["auto", "on", "off"]
    failed_age: float | None
    failed_records: int | None
    failed_interval: float | None


class Setting(msgspec.Struct, frozen=True):
    """One row of the table."""

    name: str
    type: Any
    default: Any
    about: About

    @property
    def variable(self) -> str:
        """The variable that sets it."""
        return f"{PREFIX}{self.name.upper()}"

    @property
    def kind(self) -> Any:
        """Its type, without None and without the words that it takes in place of a value."""
        parts = [part for part in self._parts() if part is not NoneType]
        return next((part for part in parts if get_origin(part) is not Literal), parts[0])

    @property
    def words(self) -> tuple[Any, ...]:
        """The words that it takes."""
        return tuple(word for part in self._parts() if get_origin(part) is Literal for word in get_args(part))

    def _parts(self) -> tuple[Any, ...]:
        """The types that it may have."""
        return get_args(self.type) if get_origin(self.type) in (Union, UnionType) else (self.type,)

    def allows(self, value: Any) -> bool:
        """Whether a value of the right type keeps within the bounds."""
        if isinstance(value, tuple):
            return bool(value) and all(value)
        if not isinstance(value, int | float):
            return True
        about = self.about
        low = about.above is None or value > about.above
        return low and (about.least is None or value >= about.least) and value <= about.most and math.isfinite(value)

    def wanted(self, unit: str | None = None, scale: float = 1) -> str:
        """Which values it takes, in words; a seed's variable has a unit of its own, ``scale`` of them to one of ours."""
        words = [repr(word) for word in self.words]
        if self.kind in _KIND_WORDS:
            unit = unit or self.about.unit
            of = f" of {_UNIT_WORDS.get(unit, unit)}" if unit else ""
            words.insert(0, _KIND_WORDS[self.kind] + of + self._range(scale))
        return " or ".join(words) or "a list of names"

    def _range(self, scale: float) -> str:
        about = self.about
        if about.above is not None:
            return f" above {about.above * scale:g}"
        if about.least is None:
            return ""
        return f" from {about.least * scale:g} " + (f"to {about.most * scale:g}" if about.most < math.inf else "on")

    def shown(self, value: Any) -> str:
        """A value as people read it, with its unit."""
        if value in (None, ""):
            return self.about.unset or ""
        text = ", ".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)
        return f"{text} {self.about.unit}" if self.about.unit and value not in self.words else text

    def shown_default(self) -> str:
        """The default, the same on every machine."""
        return self.about.unset or self.shown(self.default)


def _rows(declared: type[msgspec.Struct]) -> list[Setting]:
    """The settings that the fields of a structure declare."""
    rows = []
    for field in msgspec.structs.fields(declared):
        kind, about = get_args(field.type)
        rows.append(Setting(field.name, kind, field.default, about))
    return rows


TABLE: Mapping[str, Setting] = {setting.name: setting for setting in [*_rows(Database), *_rows(Settings)]}
