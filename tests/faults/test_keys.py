"""Many processes that want the same key."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.kit.application import Application
from tests.kit.processes import ROOT
from tests.kit.tables import Tables

PROCESSES, EACH = 4, 25


@contextmanager
def contender(key: str) -> Iterator[subprocess.Popen[str]]:
    """A process that will submit this key so many times at once."""
    command = [sys.executable, "-m", "tests.kit.contender", key, str(EACH)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return (await asyncio.to_thread(process.stdout.readline)).strip()


@pytest.mark.fault("F53")
async def test_of_a_hundred_submits_of_one_key_one_lands_and_all_others_are_told_which(
    application: Application, tables: Tables
) -> None:
    """From four processes at the same moment; nothing of a loser is stored."""
    async with application.ops:
        with ExitStack() as stack:
            contenders = [stack.enter_context(contender("the-one")) for _ in range(PROCESSES)]
            assert [await line(process) for process in contenders] == ["ready"] * PROCESSES
            for process in contenders:
                assert process.stdin
                process.stdin.write("go\n")
                process.stdin.flush()
            answers = [answer for process in contenders for answer in json.loads(await line(process))]
        (winner,) = [mine for mine, _ in answers if mine is not None]
        assert {told for _, told in answers} == {winner}
        assert len(answers) == PROCESSES * EACH
    assert await tables.counts() == {"operations": 1, "ready": 1, "operation_keys": 1}
