"""The README's programs run as they stand."""

import asyncio
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import asyncpg

README = Path(__file__).parents[2] / "README.md"


def program() -> str:
    """The one whole program of the page."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (whole,) = [block for block in blocks if "__main__" in block]
    return str(whole)


def run(folder: Path, text: str) -> str:
    (folder / "hello.py").write_text(text)
    done = subprocess.run([sys.executable, "hello.py"], cwd=folder, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_program_runs_as_pasted(tmp_path: Path) -> None:
    """It prints what it says, and the operation is a row of the file that it names."""
    assert run(tmp_path, program()) == "Hello, world!\n"
    (row,) = sqlite3.connect(tmp_path / "hello.db").execute("select status, result from opwright_overview")
    assert row == ("SUCCEEDED", '"Hello, world!"')


def test_changing_one_line_runs_it_on_postgresql(tmp_path: Path, postgres_database: str) -> None:
    """The diff of the page names the line that is there, and with another address the same program runs."""
    (old,) = re.findall(r"^- (ops = .*)$", README.read_text(), re.MULTILINE)
    assert program().count(old) == 1
    assert run(tmp_path, program().replace(old, f'ops = Opwright("{postgres_database}")')) == "Hello, world!\n"

    async def statuses() -> list[str]:
        connection = await asyncpg.connect(postgres_database)
        try:
            return [row[0] for row in await connection.fetch("select status from opwright.overview")]
        finally:
            await connection.close()

    assert asyncio.run(statuses()) == ["SUCCEEDED"]


def test_the_block_inside_a_trigger_does_what_it_says(tmp_path: Path) -> None:
    """The row of the charge and the end of the operation are there together."""
    (inside,) = [
        block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if "own.connection" in block
    ]
    whole = program().replace("async def main()", f"{inside}\n\nasync def main()")
    whole = whole.replace('greet.submit("world")', "charge.submit(7, 1250)")
    with closing(sqlite3.connect(tmp_path / "hello.db")) as connection:
        connection.execute("create table charges (customer, cents)")
    assert run(tmp_path, whole) == "None\n"
    with closing(sqlite3.connect(tmp_path / "hello.db")) as connection:
        assert connection.execute("select * from charges").fetchall() == [(7, 1250)]
        assert connection.execute("select status from opwright_overview").fetchall() == [("SUCCEEDED",)]


def test_the_page_opens_with_the_two_commands() -> None:
    """`make run` and `make test` stand before everything else, and the page is short."""
    lines = [line.strip() for line in README.read_text().splitlines() if line.strip()]
    assert lines[1].startswith("make run")
    assert lines[2].startswith("make test")
    assert len(README.read_text().splitlines()) <= 150
