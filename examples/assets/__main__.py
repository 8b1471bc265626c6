"""The program: submits an operation for each photograph and width, has worker processes render them, shows what came of it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from hashlib import blake2s
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.markup import escape

from examples.assets.photographs import TEXT, TRUNCATED, collect, photographs_in
from examples.assets.report import Report, without_password
from opwright import InvalidOperation, OperationCancelled, OperationFailed, OpwrightError

INTERRUPTED = "Interrupted."
STALLED = 180  # seconds in which nothing ended: something is wrong, for one rendition may take 60


class Job(NamedTuple):
    """One rendition to make."""

    photo: Path
    width: int
    output: Path

    @property
    def name(self) -> str:
        """The photograph's name as it can be shown, even where it is not UTF-8."""
        return os.fsencode(self.photo.name).decode(errors="replace")

    @property
    def key(self) -> str:
        """The same for the same work. What an interrupted run left, or another run is at, is then not submitted again."""
        digest = blake2s(os.fsencode(self.photo) + b"\n" + os.fsencode(self.output), digest_size=6).hexdigest()
        return re.sub(r"[^\w.@-]", "_", f"{self.name[:100]}@{self.width}-{digest}")


def parsed_widths(_context: click.Context, _parameter: click.Parameter, text: str) -> list[int]:
    """Numbers with commas between them."""
    try:
        widths = sorted({int(word) for word in text.split(",")})
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of numbers such as 320,640") from None
    if not 1 <= widths[0] <= widths[-1] <= 10_000:
        raise click.BadParameter("a width is 1 to 10000 pixels")
    return widths


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default="build/assets",
    show_default=True,
    help="Where renditions go, in a folder for each width.",
)
@click.option(
    "-d",
    "--database",
    metavar="URL",
    envvar="OPWRIGHT_URL",
    show_envvar=True,
    show_default="assets.db in the output folder",
    help="sqlite:///FILE or postgresql://USER@HOST/NAME.",
)
@click.option(
    "-w",
    "--workers",
    type=click.IntRange(1, 256),
    default=lambda: os.cpu_count() or 1,
    show_default="one for each processor",
    help="Worker processes.",
)
@click.option(
    "--widths",
    metavar="PIXELS",
    default="128,256,384,512,768,1024",
    show_default=True,
    callback=parsed_widths,
    help="Widths to render, with commas. A narrower photograph is not enlarged.",
)
def main(folder: Path | None, output: Path, database: str | None, workers: int, widths: list[int]) -> None:
    """Render the photographs in FOLDER as JPEGs of several widths.

    Without FOLDER: photographs that scikit-image ships, or some made on the spot, with two broken files among them.

    Each rendition is an operation in the database. What is not done when the program is interrupted stays there, and the same
    command goes on with it. The exit code is 0 when everything has ended and something was rendered, even if some files could
    not be.
    """
    console = Console(highlight=False)
    output = output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    source, note = str(folder), ""
    if folder is None:
        folder = output / "originals"
        source = collect(folder)
        note = f"{TRUNCATED} and {TEXT} were put there to fail."
    jobs = [
        Job(photo, width, output / str(width) / rendition_name(photo))
        for photo in photographs_in(folder.absolute())
        for width in widths
    ]
    if not jobs:
        raise click.UsageError(f"there is no photograph in {folder}")
    os.environ["OPWRIGHT_URL"] = url = database or f"sqlite:///{output / 'assets.db'}"  # for app.py, here and in the workers

    console.print(f"Photographs  {len(jobs) // len(widths)}: {escape(source)}", soft_wrap=True)
    console.print(f"Operations   {len(jobs)}, one for each photograph and width; worker processes: {workers}\n")
    report = Report(console, widths, len(jobs))
    trouble = run(jobs, workers, report)
    if trouble and trouble != INTERRUPTED and not report.ended:
        raise click.ClickException(trouble)
    report.show(note)
    console.print(f"Files     {escape(str(output))}", soft_wrap=True)  # a path is copied more easily in one line
    console.print(f"Database  {escape(without_password(url))}", soft_wrap=True)
    if trouble:
        left = len(jobs) - report.ended
        console.print(f"\n[red]{escape(trouble)}[/] {left} operations have not ended; the same command goes on with them.")
    sys.exit(130 if trouble == INTERRUPTED else 1 if trouble or not report.done else 0)


def rendition_name(photo: Path) -> str:
    """Two photographs never share a name: cat.jpg stays cat.jpg, cat.png becomes cat.png.jpg."""
    return photo.name if photo.suffix.lower() in (".jpg", ".jpeg") else f"{photo.name}.jpg"


def run(jobs: Sequence[Job], workers: int, report: Report) -> str | None:
    """Carry out every job; returns what prevented that."""
    try:
        with report.progress:
            asyncio.run(carry_out(jobs, workers, report))
    except KeyboardInterrupt:
        return INTERRUPTED
    except TimeoutError:
        return f"Nothing has ended for {STALLED} s."
    except OpwrightError as error:
        return f"{type(error).__name__}: {error}"
    return None


async def carry_out(jobs: Sequence[Job], workers: int, report: Report) -> None:
    """Start a host, submit every job, and wait until all have ended."""
    from examples.assets.app import ops, render  # not before OPWRIGHT_URL is set

    async def carry_out_one(job: Job) -> None:
        handle = None
        try:
            trigger = render.options(key=job.key, on_conflict="skip")
            handle = await trigger.submit(str(job.photo), job.width, str(job.output))
            report.add(job.name, job.width, await handle.result())
        except (InvalidOperation, OperationFailed, OperationCancelled) as error:
            text = (await handle.get()).error if handle else None
            report.add(job.name, job.width, (text or str(error)).partition("\n")[0])  # without the traceback
        patience.reschedule(asyncio.get_running_loop().time() + STALLED)

    async with ops.host(workers=workers) as host, asyncio.timeout(STALLED) as patience:
        try:
            await asyncio.gather(*map(carry_out_one, jobs))
        finally:
            report.crew = {worker.pid: worker.finished for worker in host.workers()}


if __name__ == "__main__":
    main(prog_name="python -m examples.assets")
