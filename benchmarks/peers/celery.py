"""Celery on Redis: Python, worker processes."""

from benchmarks.peers.peer import Peer

CELERY = Peer(
    name="celery",
    title="Celery + Redis",
    requirements=("celery==5.7.0", "redis==8.1.0", "packaging>=24"),
    store="redis",
    settings={
        "pool": "prefork", "concurrency": 2, "worker_prefetch_multiplier": 64, "task_ignore_result": True,
        "task_acks_late": True, "redis": "no persistence",
    },
    page="https://docs.celeryq.dev/en/stable/userguide/optimizing.html",
    unequal="Redis keeps nothing on disk and nothing of what has ended; no bulk submit: one call a job with a producer kept",
    jobs=4_000,
    unended="celery unacked",
    tells_the_last=False,
)  # fmt: skip
