"""The shop: FastAPI and SQLAlchemy, two hosts on one database."""

import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from examples.shop.__main__ import cups, states
from tests.examples.kit import ROOT, command, environment, run
from tests.kit.processes import all_ended, descendants
from tests.kit.tables import Tables
from tests.kit.waiting import eventually

README = ROOT / "examples" / "shop" / "README.md"


def masked(text: str) -> list[str]:
    """Lines without what differs from run to run."""
    return re.sub(r"\d+ ms", "SOME ms", text).strip().splitlines()


def blocks() -> list[str]:
    """Commands and output, as the README shows them."""
    return [re.sub("^    ", "", block, flags=re.MULTILINE) for block in re.findall(r"\n\n((?:    .*\n)+)", README.read_text())]


def start(folder: Path, log: Path, **extra: str) -> subprocess.Popen[bytes]:
    """Both hosts, until Ctrl-C."""
    with log.open("w") as said:
        return subprocess.Popen(
            command("-m", "examples.shop", "--serve"), cwd=folder, env=environment(extra), stdout=said, stderr=said
        )


async def test_it_runs_from_its_readme_in_two_commands(database_url: str, tmp_path: Path) -> None:
    """It prints what the page says: the second host follows the first. What was refused left nothing."""
    commands, said = blocks()
    install, (python, *arguments) = [line.split() for line in commands.splitlines()]
    assert (install, python) == (["make", "install"], ".venv/bin/python")
    done = run(tmp_path, *arguments, DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert masked(done.stdout) == masked(said)

    tables = Tables(database_url)
    assert await tables.value("select count(*) from orders") == 1
    assert await tables.value("select stock from products where name = 'cup'") == 998
    assert await tables.column("select command from opwright.operation_log order by position") == ["place_order", "confirm"]


async def test_a_page_on_each_host_shows_what_is_ordered_on_the_other(tmp_path: Path) -> None:
    """Both ways, while both go on serving until Ctrl-C, which leaves no process behind."""
    log = tmp_path / "log"
    shop = start(tmp_path, log)
    try:
        await eventually(lambda: "Open http" in log.read_text() or shop.poll() is not None, 40, "the last line")
        first, second = re.findall(r"http://[\d.:]+\d", log.read_text())
        for here, there in ((first, second), (second, first)):
            await follows(here, there)
        async with httpx.AsyncClient(base_url=first, timeout=20) as web:
            assert 'new EventSource("/events")' in (await web.get("/")).text
            assert (await web.post("/orders", json={"product": "hat", "pieces": 1})).status_code == 409
            nothing = await web.post("/orders", json={"product": "cup", "pieces": 0})
            assert (nothing.status_code, nothing.json()["detail"]) == (409, "an order is of one piece at least")
        servers = descendants(shop.pid)
        assert len(servers) == 2
        said = log.read_text()
        await ends(shop, first)
        assert shop.wait(30) == 0, log.read_text()
        assert log.read_text() == said
        await all_ended(servers, 5)
    finally:
        shop.kill()
        shop.wait()


async def ends(shop: subprocess.Popen[bytes], host: str) -> None:
    """Ctrl-C while a page is open, which is told the end of its stream."""
    async with httpx.AsyncClient(base_url=host, timeout=20) as web, web.stream("GET", "/events") as answer:
        shown = states(answer)
        await anext(shown)
        shop.send_signal(signal.SIGINT)
        assert [state async for state in shown] == []


async def follows(here: str, there: str) -> None:
    """An order on one host arrives at a page that is open on the other."""
    async with (
        httpx.AsyncClient(base_url=here, timeout=20) as web,
        httpx.AsyncClient(base_url=there, timeout=20) as other,
        other.stream("GET", "/events") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        shown = states(answer)
        sold = cups(await anext(shown))["sold"]
        await web.post("/orders", json={"product": "cup", "pieces": 3})
        while (cup := cups(await anext(shown)))["sold"] == sold:
            pass
        assert (cup["sold"], cup["left"]) == (sold + 3, 1000 - sold - 3)


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    """In one line, without the password."""
    done = run(tmp_path, "-m", "examples.shop", DATABASE_URL="postgresql://me:secret@127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the database postgresql://me:***@127.0.0.1:1/none cannot be used: [Errno 111] ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("module", ["database", "orders"])
def test_commands_need_nothing_of_the_web_application(module: str, tmp_path: Path) -> None:
    """What a worker process would import does not import FastAPI."""
    done = run(tmp_path, "-c", f"import examples.shop.{module}, sys; assert 'fastapi' not in sys.modules")
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])
