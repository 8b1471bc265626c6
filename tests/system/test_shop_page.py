"""The page of the shop in a real browser: what is ordered on one host is seen on the page of the other."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import httpx
import pytest

from tests.examples.test_shop import start
from tests.kit.waiting import eventually
from tests.system.chromium import Page, browsing

pytestmark = pytest.mark.system

ROW = "document.querySelectorAll('tbody tr')[0]"
SOLD = f"{ROW}?.cells[2].textContent"


def order(page: Page, pieces: int) -> str:
    """Order cups on the page; what it says to that."""
    page.soon(f"({ROW}.querySelector('input').value = {pieces}, {ROW}.querySelector('form').requestSubmit(), true)")
    said: str = page.soon("document.querySelector('output').textContent")
    return said


async def test_an_order_on_one_host_changes_the_page_of_the_other(postgres_database: str, tmp_path: Path) -> None:
    """At once, without a reload; what is refused is said, and so is a host that has gone."""
    log = tmp_path / "log"
    shop = start(tmp_path, log, DATABASE_URL=postgres_database)
    try:
        await eventually(lambda: "Open http" in log.read_text() or shop.poll() is not None, 40, "the last line")
        first, second = re.findall(r"http://[\d.:]+\d", log.read_text())
        with browsing(tmp_path / "profile") as page:
            page.open(second)
            assert page.soon(f"{SOLD} === '2' && document.querySelector('#link').textContent") == "live"
            async with httpx.AsyncClient(base_url=first, timeout=20) as web:
                await web.post("/orders", json={"product": "cup", "pieces": 5})
            assert page.soon(f"{SOLD} === '7' && {ROW}.cells[1].textContent") == "993"
            assert page.soon(f"{ROW}.cells[2].className") == "changed"
            assert order(page, 1200) == "Refused: there are 993 of cup, not 1200."
            assert order(page, 3).endswith(": 3 × cup.")
            page.soon(f"{SOLD} === '10'")
            shop.send_signal(signal.SIGINT)
            assert page.soon("document.querySelector('#link:not(.live)')?.textContent") == "connecting again"
            assert shop.wait(30) == 0, log.read_text()
            assert order(page, 1) == "This host does not answer."
    finally:
        if shop.poll() is None:
            shop.send_signal(signal.SIGINT)  # else its servers would outlive it
        shop.wait(30)
