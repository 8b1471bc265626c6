"""A page in a real browser, driven through its DevTools pipe."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--remote-debugging-pipe")
END = b"\0"
SOON = "new Promise(seen => {{ const look = () => {{ const found = {}; found ? seen(found) : setTimeout(look, 10) }}; look() }})"


class Page:
    """One tab. Its commands go out by one pipe, and answers and events come in by another."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._number = 0
        self._rest = b""
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the DevTools protocol."""
        self._number += 1
        session = {} if self._session is None else {"sessionId": self._session}
        message = {"id": self._number, "method": method, "params": parameters, **session}
        os.write(self._commands, json.dumps(message).encode() + END)
        while (answer := self._next()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, url: str) -> None:
        """Go there."""
        self.call("Page.navigate", url=url)

    def soon(self, expression: str) -> Any:
        """The value of an expression, as soon as it is one."""
        done = self.call("Runtime.evaluate", expression=SOON.format(expression), awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"]["value"]

    def picture(self, path: Path) -> None:
        """Keep what it looks like."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def _next(self) -> dict[str, Any]:
        while END not in self._rest:
            some = os.read(self._answers, 1 << 16)
            assert some, "the browser has ended"
            self._rest += some
        message, _, self._rest = self._rest.partition(END)
        found: dict[str, Any] = json.loads(message)
        return found


@contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """A browser with a profile of its own; it ends with the block."""
    program = shutil.which("chromium")
    assert program, "chromium is missing: tests/system/install.sh installs it"
    (read, commands), (answers, write) = os.pipe(), os.pipe()
    # The browser reads from descriptor 3 and writes to 4, which only a shell can hand over whatever ours are.
    line = f'exec "$0" "$@" 3<&{read} 4>&{write}'
    browser = subprocess.Popen(
        ["bash", "-c", line, program, *OPTIONS, f"--user-data-dir={folder}"], pass_fds=(read, write), stderr=subprocess.DEVNULL
    )
    os.close(read)
    os.close(write)
    try:
        yield Page(commands, answers)
    finally:
        browser.terminate()
        browser.wait()
        os.close(commands)
        os.close(answers)
