"""The guide to the inside of an operation is one program, and it does what the page says."""

import re
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "inside.md"
ADDRESS = 'Opwright("sqlite:///inside.db")'

DRIVER = """
import asyncio

from opwright import OperationFailed, Status
from inside import charge, fail, fetch, measure, ops, publish, resize, sign, sweep, width


async def waits(handle):
    while await handle.status() is not Status.WAIT:
        await asyncio.sleep(0.01)


async def log(handle):
    return [update.text async for update in handle.follow() if update.text]


async def main():
    async with ops.host(workers=2, heartbeat=0.1) as host:
        signed = await sign.submit("cat.jpg")
        print(await signed.result(30) == f"cat.jpg was signed by sign, operation {signed.id}, attempt 1")

        resized = await resize.submit(["cat.jpg", "dog.jpg"])
        number, said = await resized.result(30), await log(resized)
        print(number, [line for line in said if "resizing" in line], "dog.jpg" in said)

        if "sqlite" in ops.client.url:
            print(await (await charge.submit(7, 1250)).result(30))

        published = await publish.submit("cat.jpg")
        await waits(published)
        print(await published.resume(True), await published.result(30))

        print(await (await fetch.submit("cat.jpg")).result(30))
        print(await (await sweep.submit(["a", "b"])).result(30))

        measured = await measure.submit("cat.jpg")
        await measured.result(30)
        print(await log(measured))

        print(await (await width.submit("cat.jpg")).result(30))

        failed = await fail.submit()
        try:
            await failed.result(30)
        except OperationFailed as error:
            print(error.error.splitlines()[0] == f"ValueError: request {failed.id}")
        print((await log(failed)) == [f"reported: request {failed.id}"])


if __name__ == "__main__":
    asyncio.run(main())
"""


def program() -> str:
    """All of its blocks, as they stand on the page."""
    return "\n\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))


def test_the_program_of_the_guide_does_what_it_says(tmp_path: Path, database_url: str) -> None:
    assert program().count(ADDRESS) == 1
    (tmp_path / "inside.py").write_text(program().replace(ADDRESS, f'Opwright("{database_url}")'))
    (tmp_path / "drive.py").write_text(DRIVER)
    done = subprocess.run([sys.executable, "drive.py"], cwd=tmp_path, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line != "measuring cat.jpg"]
    assert lines == [
        "True",
        "2 ['resizing cat.jpg', 'resizing dog.jpg'] True",
        *(["customer 7 pays 12.50"] if "sqlite" in database_url else []),
        "True cat.jpg is published",
        "3",
        "2",
        "['measuring cat.jpg', 'INFO photos: cat.jpg is 640 wide']",
        "640",
        "True",
        "True",
    ]
    assert (tmp_path / "closed").exists()
    assert "measuring cat.jpg" in done.stdout.splitlines()
