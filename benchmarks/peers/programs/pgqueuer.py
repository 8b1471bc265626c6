"""PgQueuer at work."""

from collections.abc import Sequence

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.peers.programs.common import SETTINGS, URL, Program, ran, run


class PgQueuerProgram(Program):
    async def set_up(self) -> None:
        queries = await self._queries()
        await queries.install()
        await queries.optimize_autovacuum()

    async def open(self) -> None:
        self.queries = await self._queries()

    async def submit_many(self, numbers: Sequence[int]) -> None:
        payloads: list[bytes | None] = [str(number).encode() for number in numbers]
        await self.queries.enqueue(["nothing"] * len(payloads), payloads, [0] * len(payloads))

    async def submit(self, number: int) -> None:
        await self.queries.enqueue("nothing", str(number).encode())

    async def work(self) -> None:
        worker = PgQueuer.from_asyncpg_connection(await asyncpg.connect(URL))

        @worker.entrypoint("nothing")
        async def nothing(job: Job) -> None:
            ran(int(job.payload or b"0"))

        await worker.run(batch_size=SETTINGS["batch_size"])

    async def _queries(self) -> Queries:
        return Queries.from_asyncpg_connection(await asyncpg.connect(URL))


if __name__ == "__main__":
    run(PgQueuerProgram())
