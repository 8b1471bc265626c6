"""What there is to know about a system that Opwright is measured beside."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A system of a pinned version, with settings that its documentation recommends or describes where speed counts.

    ``settings`` is what its program gets, so the table of settings cannot tell anything else than what was measured.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    runtime: Literal["python", "node"] = "python"
    python: tuple[int, int] = (3, 11)
    store: Literal["postgresql", "redis", "sqlite"] = "postgresql"
    settings: Mapping[str, Any]
    page: str
    unequal: str
    jobs: int
    quick_jobs: int = 1_000
    bulk: bool = True
    every_round: bool = False
    unended: str
    """How many jobs have not ended: a statement, or the names of Redis keys."""
    tells_the_last: bool = True
    """Whether one process runs all jobs, so that it knows which is the last; else the store is asked."""

    @property
    def version(self) -> str:
        """The pinned version of the system itself, its first requirement."""
        return self.requirements[0].replace("@", "==").rpartition("==")[2]
