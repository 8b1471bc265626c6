"""The renderer of photographs."""

import os
import pty
import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from PIL import Image

from examples.assets import photographs
from examples.assets.photographs import TEXT, TRUNCATED, collect, photographs_in
from tests.examples.kit import command, environment, run

SUCCEEDED, FAILED = 1, 2
WIDTHS = range(100, 105)  # of what is interrupted
LONGER_THAN_A_LINE = ("Files", "Database", "Photographs")  # lines with a path, which is never broken


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        assert image.format == "JPEG"
        image.load()
        return image.size


async def outcomes(url: str) -> dict[int, int]:
    """How many operations ended in which way, as the database tells it."""
    ask = "select status, count(*) from {} group by status"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            return dict(database.execute(ask.format("opwright_outcomes")).fetchall())
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(ask.format("opwright.outcomes"))
    finally:
        await connection.close()
    return {row[0]: row[1] for row in rows}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photographs of an application: among them odd ones, and what is none."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    photograph = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    lying = photograph.getexif()
    lying[0x112] = 6
    photograph.save(folder / "lying.JPG", exif=lying)
    photograph.convert("CMYK").save(folder / "print.jpg")
    photograph.convert("P").save(folder / "[bold]print.png")
    (folder / "notes.txt").write_text("no photograph, and not called one")
    return folder


async def test_the_default_photographs_are_rendered(database_url: str, tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "examples.assets", "--widths", "64,400", "--workers", "2", OPWRIGHT_URL=database_url)

    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stderr == ""
    originals = photographs_in(tmp_path / "build/assets/originals")
    whole = [path for path in originals if path.name not in (TRUNCATED, TEXT)]
    assert len(whole) >= 10
    assert await outcomes(database_url) == {SUCCEEDED: 2 * len(whole), FAILED: 2 * 2}
    for width in (64, 400):
        rendered = {path.name.removesuffix(".jpg"): size(path) for path in (tmp_path / "build/assets" / str(width)).iterdir()}
        assert rendered.keys() == {path.name.removesuffix(".jpg") for path in whole}
        assert max(width for width, _ in rendered.values()) == width
        if width == 64:
            assert {width for width, _ in rendered.values()} == {64}

    assert re.search(rf"^ +all +{2 * len(whole)} +4 +[\d.]+ [kM]B +[\d.]+ +\d+ ms +[\d.]+", done.stdout, re.MULTILINE)
    assert re.search(rf"{TRUNCATED} +all +OSError: image file is truncated", done.stdout)
    assert re.search(rf"{TEXT} +all +NoPhotographError: {TEXT} holds no picture", done.stdout)
    assert f"{TRUNCATED} and {TEXT} were put there to fail." in done.stdout
    ended = [int(count) for count in re.findall(r"\d+ ended (\d+)", done.stdout)]
    assert len(ended) == 2
    assert sum(ended) == 2 * len(originals)


def test_output_in_a_pipe_is_plain_and_fits_80_columns(folder: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "examples.assets", str(folder), "--widths", "50")
    assert done.returncode == 0
    assert not re.search("[\x1b\r]", done.stdout)
    assert "Rendering" not in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if not line.startswith(LONGER_THAN_A_LINE))


def test_a_folder_of_ones_own_and_again(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = run(tmp_path, "-m", "examples.assets", str(folder), "--widths", "50,1000", "--output", "out")
        assert done.returncode == 0, done.stderr
        assert "Photographs  3:" in done.stdout
        assert "Failed " not in done.stdout.replace("Renditions   Failed", "")
        files = {str(path.relative_to(tmp_path / "out")): size(path) for path in (tmp_path / "out").glob("*/*")}
        assert files == {
            "50/lying.JPG": (50, 75),  # stood up, as its camera asks
            "50/print.jpg": (50, 33),
            "50/[bold]print.png.jpg": (50, 33),
            "1000/lying.JPG": (200, 300),  # not enlarged
            "1000/print.jpg": (300, 200),
            "1000/[bold]print.png.jpg": (300, 200),
        }


def test_a_file_name_that_is_not_utf_8_fails_alone(folder: Path, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xfcber.jpg")).write_bytes((folder / "print.jpg").read_bytes())
    done = run(tmp_path, "-m", "examples.assets", str(folder), "--widths", "50", PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\N{REPLACEMENT CHARACTER}ber.jpg +all +render: photo: .*half of a surrogate pair", done.stdout)
    assert "\n3 renditions in" in done.stdout


def test_nothing_rendered_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    empty = run(tmp_path, "-m", "examples.assets", "in")
    assert empty.returncode == 2
    assert "there is no photograph in in" in empty.stderr

    (tmp_path / "in" / "letter.jpg").write_text("Dear reader")
    done = run(tmp_path, "-m", "examples.assets", "in", "--widths", "50")
    assert done.returncode == 1
    assert "letter.jpg holds no picture that Pillow can read" in re.sub(r"\s+", " ", done.stdout)


def test_a_database_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "examples.assets", str(folder), "--database", "postgresql://me:secret@127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: StoreUnavailable: ")
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("wrong", [["--widths", "a,b"], ["--widths", "0"], ["--workers", "0"], ["nowhere"]])
def test_wrong_use_is_told(wrong: list[str], tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "examples.assets", *wrong)
    assert done.returncode == 2
    assert wrong[-1] in done.stderr


def test_the_same_command_goes_on_after_an_interruption(folder: Path, tmp_path: Path) -> None:
    """One photograph, the last, is a pipe until then, which nobody writes to: so the interruption never comes too late."""
    late = tmp_path / "build/assets/originals/zzz.jpg"
    late.parent.mkdir(parents=True)
    os.mkfifo(late)
    widths = ",".join(str(width) for width in WIDTHS)
    arguments = ("-m", "examples.assets", "--widths", widths, "--workers", "1")
    first = subprocess.Popen(command(*arguments), cwd=tmp_path, env=environment({}), stdout=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("build/assets/1*/*.jpg")):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=40)
    assert first.returncode == 130, said
    found = re.search(r"Interrupted. (\d+) operations have not ended; the same\s+command goes on with them.", said)
    assert found, said
    assert int(found[1]) > 0

    (folder / "print.jpg").replace(late)
    second = run(tmp_path, *arguments)
    assert second.returncode == 0, second.stderr
    with closing(sqlite3.connect(tmp_path / "build/assets/assets.db")) as database:
        (operations,) = database.execute("select count(*) from opwright_operations").fetchone()
        (ended,) = database.execute("select count(*) from opwright_outcomes").fetchone()
    originals = len(photographs_in(tmp_path / "build/assets/originals"))
    assert operations == ended < 2 * len(WIDTHS) * originals  # what was left was not submitted a second time
    assert len(list(tmp_path.glob("build/assets/1*/*.jpg"))) == len(WIDTHS) * (originals - 2)
    assert not list(tmp_path.glob("build/assets/*/.*.part"))


def test_a_terminal_shows_a_live_bar(folder: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    arguments = ("-m", "examples.assets", str(folder), "--widths", "50,60")
    shown = b""
    with subprocess.Popen(command(*arguments), cwd=tmp_path, env=environment({}), stdout=theirs) as process:
        os.close(theirs)
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:  # how Linux tells that the other end is closed
            os.close(ours)
    assert process.returncode == 0
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"Rendering .*━ 6/6 6 done 0 failed \d+/s 0:00:\d\d", text)


def test_without_scikit_image_pillow_makes_the_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "find_spec", lambda _: None)
    assert collect(tmp_path) == "12 made by Pillow, because scikit-image is not installed, and 2 broken on purpose"
    names = {path.name for path in photographs_in(tmp_path)}
    assert len(names) == 14
    assert {size(tmp_path / name) for name in names - {TRUNCATED, TEXT}} == {(1600, 1200)}
