"""Procrastinate at work."""

from collections.abc import Sequence

from procrastinate import App, PsycopgConnector

from benchmarks.peers.programs.common import SETTINGS, URL, Program, ran, run

app = App(connector=PsycopgConnector(conninfo=URL, max_size=SETTINGS.get("pool", 10)))


@app.task(name="nothing")
async def nothing(number: int) -> None:
    ran(number)


class ProcrastinateProgram(Program):
    async def set_up(self) -> None:
        await self.open()
        await app.schema_manager.apply_schema_async()

    async def open(self) -> None:
        await self.held.enter_async_context(app.open_async())

    async def submit_many(self, numbers: Sequence[int]) -> None:
        await nothing.batch_defer_async(*({"number": number} for number in numbers))

    async def submit(self, number: int) -> None:
        await nothing.defer_async(number=number)

    async def work(self) -> None:
        await app.open_async()
        await app.run_worker_async(
            concurrency=SETTINGS["concurrency"],
            listen_notify=SETTINGS["listen_notify"],
            delete_jobs=SETTINGS["delete_jobs"],
            install_signal_handlers=False,
        )


if __name__ == "__main__":
    run(ProcrastinateProgram())
