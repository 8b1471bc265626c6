"""An application that talks too much, as hosts and workers import it."""

import logging
import os
import sys

from opwright import Opwright, operation
from opwright.app.target import Target
from tests.kit.events import write_events

write_events()
ops = Opwright(os.environ["OPWRIGHT_URL"])
ops.found_at(Target("tests.kit.chatter", None, "ops", tuple(sys.path)))


@ops.operation(capture=True)
def chatter(lines: int, megabytes: int) -> int:
    """A huge line as a remark and another one through logging; then very many lines, and progress at each."""
    operation.log("x" * megabytes * 2**20)
    logging.getLogger("chatter").info("y" * megabytes * 2**20)
    for number in range(lines):
        operation.log(f"line {number}")
        operation.progress(number / lines, "p" * 5_000)
    return lines


@ops.operation
async def double(number: int) -> int:
    """A quiet neighbour."""
    return 2 * number
