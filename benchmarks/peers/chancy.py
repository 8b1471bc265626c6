"""Chancy: PostgreSQL, Python."""

from benchmarks.peers.peer import Peer

CHANCY = Peer(
    name="chancy",
    title="Chancy",
    requirements=("chancy==0.26.0", "uvloop==0.23.0"),
    settings={"executor": "async", "concurrency": 500, "eager_polling": True, "polling_interval": 1, "loop": "uvloop"},
    page="https://github.com/TkTech/chancy/blob/main/docs/guide/queues.rst",
    unequal="outcomes are written once a second",
    jobs=10_000,
    unended="select count(*) from chancy_jobs where state not in ('succeeded', 'failed', 'expired')",
)
