"""Huey on SQLite at work."""

from huey import SqliteHuey

from benchmarks.peers.programs.common import SETTINGS, URL, Program, ran, run

app = SqliteHuey(
    filename=URL.removeprefix("sqlite:///"), results=False, fsync=SETTINGS["fsync"], journal_mode=SETTINGS["journal_mode"]
)


@app.task(name="nothing")
def nothing(number: int) -> None:
    ran(number)


class HueyProgram(Program):
    async def set_up(self) -> None:
        app.storage.initialize_schema()

    async def open(self) -> None:
        """Nothing to do: each thread opens the file when it needs it."""

    async def submit(self, number: int) -> None:
        nothing(number)

    def work(self) -> None:
        app.create_consumer(
            workers=SETTINGS["workers"],
            worker_type=SETTINGS["worker_type"],
            initial_delay=SETTINGS["initial_delay"],
            max_delay=SETTINGS["initial_delay"],
            backoff=SETTINGS["backoff"],
            periodic=False,
        ).run()


if __name__ == "__main__":
    run(HueyProgram())
