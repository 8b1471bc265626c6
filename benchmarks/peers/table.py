"""All peers, in the order in which they are measured and shown."""

from benchmarks.peers.celery import CELERY
from benchmarks.peers.chancy import CHANCY
from benchmarks.peers.dbos import DBOS
from benchmarks.peers.graphile import GRAPHILE
from benchmarks.peers.huey import HUEY
from benchmarks.peers.oban import OBAN
from benchmarks.peers.pgboss import PGBOSS
from benchmarks.peers.pgqueuer import PGQUEUER
from benchmarks.peers.procrastinate import PROCRASTINATE

PEERS = (GRAPHILE, PGQUEUER, PGBOSS, OBAN, CHANCY, PROCRASTINATE, DBOS, CELERY, HUEY)
BY_NAME = {peer.name: peer for peer in PEERS}
