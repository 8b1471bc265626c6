"""The sweeps of a host, as its settings want them."""

from __future__ import annotations

from typing import Literal

from opwright.clock import Clock
from opwright.maintenance.core_job_manager import CoreJobManager
from opwright.maintenance.core_job_sweeper import CoreJobSweeper, Retention
from opwright.maintenance.db_event_log_trimmer import DbEventLogTrimmer
from opwright.maintenance.failure_operation_heartbeat import AGE, INTERVAL, RECORDS, FailureOperationHeartbeat
from opwright.maintenance.log_trimmer import DbOperationLogTrimmer
from opwright.maintenance.sweep import Sweep
from opwright.settings import Settings
from opwright.store.store import Store
from opwright.store.sweeps import Sweeps

HOUR = 3600.0


def core_job_manager(settings: Settings, store: Store, clock: Clock) -> CoreJobManager:
    """The service that drives the sweeps."""
    keep_log, turns = settings.keep_log * HOUR, store.sweeps
    sweeps: list[Sweep] = [DbOperationLogTrimmer(store.log, turns, clock, keep_log, settings.trim_interval)]
    retention = Retention(*map(_seconds, (settings.keep_succeeded, settings.keep_cancelled, settings.keep_failed)))
    if any(seconds is not None for seconds in retention):
        sweeps.append(CoreJobSweeper(turns, clock, retention, settings.sweep_interval))
    if settings.keep_events != "never":
        sweeps.append(DbEventLogTrimmer(turns, clock, settings.keep_events * HOUR))
    if _cleans_up(settings):
        sweeps.append(_clean_up(settings, turns, clock))
    return CoreJobManager(sweeps, turns, clock)


def _seconds(hours: float | Literal["never"]) -> float | None:
    return None if hours == "never" else hours * HOUR


def _cleans_up(settings: Settings) -> bool:
    """Whether the clean-up of the DAM framework is on: it is asked for by its own keys, each of which has a default."""
    keys = (settings.failed_age, settings.failed_records, settings.failed_interval)
    return settings.dam_cleanup == "on" or (settings.dam_cleanup == "auto" and any(key is not None for key in keys))


def _clean_up(settings: Settings, store: Sweeps, clock: Clock) -> FailureOperationHeartbeat:
    age, records, interval = settings.failed_age, settings.failed_records, settings.failed_interval
    return FailureOperationHeartbeat(
        store, clock,
        age=AGE if age is None else age * HOUR,
        records=RECORDS if records is None else records,
        interval=INTERVAL if interval is None else interval,
    )  # fmt: skip
