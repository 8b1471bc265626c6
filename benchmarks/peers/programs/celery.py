"""Celery at work."""

from collections.abc import Sequence

from celery import Celery

from benchmarks.peers.programs.common import SETTINGS, URL, Program, ran, run

OWN = ("pool", "concurrency", "redis")  # settings of the worker's command line and of the server
app = Celery("bench", broker=URL)
app.conf.update({name: value for name, value in SETTINGS.items() if name not in OWN})


@app.task(name="nothing")
def nothing(number: int) -> None:
    ran(number)


class CeleryProgram(Program):
    async def set_up(self) -> None:
        """Redis has no tables."""

    async def open(self) -> None:
        self.producer = app.producer_pool.acquire(block=True)

    async def submit_many(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            nothing.apply_async((number,), producer=self.producer)

    async def submit(self, number: int) -> None:
        nothing.delay(number)

    def work(self) -> None:
        options = [f"--pool={SETTINGS['pool']}", f"--concurrency={SETTINGS['concurrency']}", "--loglevel=ERROR"]
        app.worker_main(["worker", *options])


if __name__ == "__main__":
    run(CeleryProgram())
