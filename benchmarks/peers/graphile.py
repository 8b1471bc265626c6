"""Graphile Worker: PostgreSQL, Node."""

from benchmarks.peers.peer import Peer

GRAPHILE = Peer(
    name="graphile",
    title="Graphile Worker",
    requirements=("graphile-worker@0.17.3",),  # the newest that runs on Node 20
    runtime="node",
    settings={"concurrentJobs": 24, "maxPoolSize": 25, "localQueue": 500, "completeJobBatchDelay": 0, "failJobBatchDelay": 0},
    page="https://worker.graphile.org/docs/performance",
    unequal="ended jobs are deleted",
    jobs=150_000,  # its rate grows with the number
    quick_jobs=5_000,
    every_round=True,
    unended="select count(*) from graphile_worker._private_jobs",
)
