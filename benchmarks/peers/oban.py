"""Oban for Python: PostgreSQL."""

from benchmarks.peers.peer import Peer

OBAN = Peer(
    name="oban",
    title="Oban (Python)",
    requirements=("oban==0.7.0", "uvloop==0.23.0"),
    python=(3, 12),
    settings={"limit": 200, "pool": 10, "loop": "uvloop"},
    page="https://github.com/oban-bg/oban-py/blob/main/docs/defining_queues.md",
    unequal="a newer Python than the others",
    jobs=10_000,
    unended="select count(*) from oban_jobs where state not in ('completed', 'discarded', 'cancelled')",
)
