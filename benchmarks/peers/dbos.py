"""DBOS Transact: PostgreSQL, Python."""

from benchmarks.peers.peer import Peer

DBOS = Peer(
    name="dbos",
    title="DBOS",
    requirements=("dbos==3.4.0",),
    settings={"worker_concurrency": 200, "polling_interval_sec": 0.05, "sys_db_pool_size": 20},
    page="https://docs.dbos.dev/python/reference/queues",
    unequal="a job is a durable workflow; its queue is polled (here every 50 ms instead of every second); no bulk submit",
    jobs=3_000,
    bulk=False,
    unended="select count(*) from dbos.workflow_status where status in ('ENQUEUED', 'PENDING', 'DELAYED')",
)
