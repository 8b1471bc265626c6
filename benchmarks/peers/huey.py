"""Huey on SQLite: Python, threads."""

from benchmarks.peers.peer import Peer

HUEY = Peer(
    name="huey",
    title="Huey on SQLite",
    requirements=("huey==3.5.4",),
    store="sqlite",
    settings={
        "journal_mode": "wal",
        "fsync": False,
        "workers": 4,
        "worker_type": "thread",
        "initial_delay": 0.02,
        "backoff": 1.0,
    },
    page="https://huey.readthedocs.io/en/latest/consumer.html",
    unequal="synchronous=OFF; a task is deleted before it runs, so a crash loses it; no results kept; no bulk submit",
    jobs=10_000,
    bulk=False,
    unended="select count(*) from task",
)
