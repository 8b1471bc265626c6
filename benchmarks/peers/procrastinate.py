"""Procrastinate: PostgreSQL, Python."""

from benchmarks.peers.peer import Peer

PROCRASTINATE = Peer(
    name="procrastinate",
    title="Procrastinate",
    requirements=("procrastinate==3.10.0", "psycopg[binary,pool]==3.3.9", "uvloop==0.23.0"),
    settings={"concurrency": 50, "pool": 10, "listen_notify": True, "delete_jobs": "never", "loop": "uvloop"},
    page="https://procrastinate.readthedocs.io/en/stable/howto/production/concurrency.html",
    unequal="jobs are fetched one at a time; there is no batch to set",
    jobs=4_000,
    unended="select count(*) from procrastinate_jobs where status in ('todo', 'doing')",
)
