"""PgQueuer: PostgreSQL, Python."""

from benchmarks.peers.peer import Peer

PGQUEUER = Peer(
    name="pgqueuer",
    title="PgQueuer",
    requirements=("pgqueuer==1.6.0", "asyncpg==0.32.0", "uvloop==0.23.0"),
    settings={"batch_size": 500, "driver": "asyncpg", "autovacuum": "optimised", "durability": "durable", "loop": "uvloop"},
    page="https://github.com/janbjorge/pgqueuer/blob/main/docs/guides/performance-tuning.md",
    unequal="ended jobs leave the queue for a log",
    jobs=50_000,
    unended="select count(*) from pgqueuer",
)
