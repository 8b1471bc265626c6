"""pg-boss: PostgreSQL, Node."""

from benchmarks.peers.peer import Peer

PGBOSS = Peer(
    name="pgboss",
    title="pg-boss",
    requirements=("pg-boss@10.4.2",),  # 11 and newer want a newer Node
    runtime="node",
    settings={"batchSize": 1000, "pollingIntervalSeconds": 0.5},
    page="https://github.com/timgit/pg-boss/blob/master/docs/api/workers.md",
    unequal="drained by a loop of fetch() and complete(), which is faster than work(); pick-ups by work(), which polls",
    jobs=30_000,
    unended="select count(*) from pgboss.job where name = 'nothing' and state < 'completed'",
)
