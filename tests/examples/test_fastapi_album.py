"""The album: FastAPI, SQLAlchemy and Opwright on one database."""

import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.examples.kit import ROOT, command, environment, run
from tests.kit.processes import all_ended, descendants
from tests.kit.tables import STOPPED, Tables
from tests.kit.waiting import eventually

README = ROOT / "examples" / "fastapi_album" / "README.md"
SUCCEEDED, FAILED = 1, 2


def masked(text: str) -> list[str]:
    """Lines without what differs from run to run."""
    text = re.sub(r"\b[0-9a-f]{4}\b(?=$|:|')", "RUN", text, flags=re.MULTILINE)
    text = re.sub(r"operation \d+", "operation ID", text)
    return re.sub(r'127\.0\.0\.1:\d+|"bytes":\d+', "PLACE", text).strip().splitlines()


def commands() -> list[list[str]]:
    """The first block of the README."""
    (block,) = re.findall(r"repository:\n\n((?:    .*\n)+)", README.read_text())
    return [line.split() for line in block.splitlines()]


def start(folder: Path, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Run Python in a folder with these arguments, and do not wait for its end."""
    with log.open("w") as said:
        return subprocess.Popen(command(*arguments), cwd=folder, env=environment({}), stdout=said, stderr=said)


async def test_it_runs_from_its_readme_in_two_commands(database_url: str, tmp_path: Path) -> None:
    """The second prints what the page says, ends 0, and stops its host in good order. The refused request left nothing."""
    install, (python, *arguments) = commands()
    assert install == ["make", "install"]
    assert python == ".venv/bin/python"
    done = run(tmp_path, *arguments, DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    (said,) = re.findall(r"happened:\n\n((?:    .*\n)+)", README.read_text())
    assert masked(done.stdout) == masked(re.sub("^    ", "", said, flags=re.MULTILINE))

    tables = Tables(database_url)
    assert sorted(await tables.column("select status from opwright.outcomes")) == [SUCCEEDED, SUCCEEDED, FAILED]
    assert await tables.count("operations") == await tables.value("select count(*) from photos") == 3
    assert set((await tables.hosts()).values()) == {STOPPED}


async def test_it_can_be_run_again(tmp_path: Path) -> None:
    """Over the database that it left: by default in the current folder."""
    pages = [run(tmp_path, "-m", "examples.fastapi_album").stdout.splitlines()[-1] for _ in range(2)]
    assert ["3 photos, 2 with" in pages[0], "6 photos, 4 with" in pages[1]] == [True, True]
    assert await Tables(f"sqlite:///{tmp_path}/album.db").count("operations") == 6


async def test_it_goes_on_serving_until_ctrl_c(tmp_path: Path) -> None:
    """The page lists photos, newest first, with thumbnails or errors; titles are escaped. Ctrl-C leaves no process behind."""
    log = tmp_path / "log"
    server = start(tmp_path, log, "-m", "examples.fastapi_album", "--serve")
    try:
        await eventually(lambda: "The page" in log.read_text() or server.poll() is not None, 40, "the last line")
        (url,) = re.findall(r"http://[\d.:]+", log.read_text())
        async with httpx.AsyncClient(base_url=url, timeout=20) as web:
            added = (await web.post("/photos", params={"title": "<script>"}, content=b"none")).json()
            state = (await web.get(f"/photos/{added['id']}", params={"wait": 20})).json()
            assert state["status"] == "FAILED"
            page = (await web.get("/")).text
            assert re.findall(r"<strong>([^ <]+)", page)[:2] == ["&lt;script&gt;", "Letter"]
            assert 'class="FAILED">FAILED: ValueError: this is no picture' in page
            thumbnail = await web.get(re.findall(r'src="(.*?)"', page)[0])
            assert thumbnail.headers["content-type"] == "image/jpeg"
            assert (await web.get(f"/photos/{added['id']}/thumbnail")).status_code == 404
            assert next(photo["title"] for photo in (await web.get("/photos")).json()) == "<script>"
        workers = descendants(server.pid)
        assert len(workers) == 2
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0, log.read_text()
        await all_ended(workers, 5)
    finally:
        server.kill()
        server.wait()


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "examples.fastapi_album", DATABASE_URL="postgresql://me:secret@127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.endswith("Error: the application did not start\n")
    assert "secret" not in done.stderr


@pytest.mark.parametrize("module", ["database", "operations"])
def test_workers_need_nothing_of_the_web_application(module: str, tmp_path: Path) -> None:
    """What they import does not import FastAPI."""
    done = run(tmp_path, "-c", f"import examples.fastapi_album.{module}, sys; assert 'fastapi' not in sys.modules")
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])
