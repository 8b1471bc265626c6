"""What is measured of Opwright, one kind of work a file. Importing a file registers its measures."""

from benchmarks.measures import (
    anatomy,
    bulk_submit,
    command,
    computed,
    drain,
    finished,
    foreign_submit,
    growth,
    idle,
    invalidation,
    pickup,
    single_submit,
    watchers,
)

__all__ = [
    "anatomy",
    "bulk_submit",
    "command",
    "computed",
    "drain",
    "finished",
    "foreign_submit",
    "growth",
    "idle",
    "invalidation",
    "pickup",
    "single_submit",
    "watchers",
]
