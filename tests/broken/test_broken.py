"""The contract suite notices each wrong variant: it is run against a copy of the source with the defect in it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.broken.variants import Variant, variants
from tests.servers import PostgresServer

ROOT = Path(__file__).parents[2]
VARIANTS = variants()
NO_DEFECT = Variant("Nothing.", sorted({test for each in VARIANTS.values() for test in each.caught_by}), edit=[])
NOTICED = ("assert ", "AssertionError", "Failed: DID NOT RAISE")
# Started one after the other, they would spend most of the time in importing.
AT_ONCE = 2
PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout")


@dataclass
class Report:
    """What a run of the suite found: for each test, how it failed (None: it passed)."""

    code: int
    output: str
    failures: dict[str, str | None]
    errors: int

    def of(self, node: str, engine: str) -> list[str | None]:
        """How the cases of a test ended on one engine; where cases are not named after engines, all of them."""
        cases = {name: failure for name, failure in self.failures.items() if name.partition("[")[0] == node}
        return [failure for name, failure in cases.items() if engine in name] or list(cases.values())


def run(server: PostgresServer, folder: Path, source: Path, tests: list[str], engine: str | None) -> Report:
    """Run tests in another process against another source."""
    result = folder / "result.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={result}"]
    command += [f"--basetemp={folder / 'tmp'}", *(f"-p{plugin}" for plugin in PLUGINS)]
    command += [f"tests/{test}" for test in tests]
    if engine:
        command += ["-k", f"{engine} or test_plans"]
    environment = os.environ | {
        "PYTHONPATH": str(source),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
        "OPWRIGHT_TEST_POSTGRES": server.dsn,
        "OPWRIGHT_TEST_PATIENCE": "4",
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    failures, errors = read(result) if result.exists() else ({}, 0)
    return Report(done.returncode, done.stdout + done.stderr, failures, errors)


def read(result: Path) -> tuple[dict[str, str | None], int]:
    """The failures of a result file by node, as they are named under ``tests/``, and how many errors were none of these."""
    failures: dict[str, str | None] = {}
    errors = 0
    for case in ET.parse(result).iter("testcase"):
        module = case.attrib["classname"].removeprefix("tests.").replace(".", "/")
        failure = case.find("failure")
        failures[f"{module}.py::{case.attrib['name']}"] = None if failure is None else failure.attrib["message"]
        errors += case.find("error") is not None and failure is None
    return failures, errors


def examine(server: PostgresServer, folder: Path, variant: Variant) -> Report:
    """Run the tests that should notice a variant against it."""
    return run(server, folder, variant.apply(folder), variant.caught_by, variant.engine)


@pytest.fixture(scope="module")
def reports(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, "Future[Report]"]]:
    """The reports on all variants that this run is about, a few of them made at a time."""
    postgres_server.start()
    asked = {item.name for item in request.session.items}
    wanted = {name: each for name, each in VARIANTS.items() if f"{test_the_suite_notices.__name__}[{name}]" in asked}
    if test_without_a_defect_the_same_tests_pass.__name__ in asked:
        wanted["none"] = NO_DEFECT
    pool = ThreadPoolExecutor(AT_ONCE)
    yield {
        name: pool.submit(examine, postgres_server, tmp_path_factory.mktemp(name), variant) for name, variant in wanted.items()
    }
    pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(180)  # the first of them waits for its turn among all
@pytest.mark.parametrize("name", VARIANTS)
def test_the_suite_notices(name: str, reports: dict[str, "Future[Report]"]) -> None:
    """Every test that is said to notice this defect fails on it, by a broken promise and not by accident."""
    variant, report = VARIANTS[name], reports[name].result()
    assert report.code == pytest.ExitCode.TESTS_FAILED, report.output
    for node in variant.caught_by:
        for engine in variant.engines:
            found = [failure for failure in report.of(node, engine) if failure is not None]
            assert found, f"{node} does not notice on {engine} that {variant.wrong}\n{report.output}"
    broken = (*NOTICED, *variant.raises, *(f"opwright.errors.{error}" for error in variant.raises))
    accidents = [failure for failure in report.failures.values() if failure and not failure.startswith(broken)]
    assert not accidents, report.output
    assert report.errors == 0, report.output


@pytest.mark.timeout(180)
def test_without_a_defect_the_same_tests_pass(reports: dict[str, "Future[Report]"]) -> None:
    """Neither the copy nor the other process is what fails: an unedited copy keeps every promise."""
    report = reports["none"].result()
    assert report.code == pytest.ExitCode.OK, report.output
    assert len(report.failures) > len(NO_DEFECT.caught_by)


def test_every_variant_says_what_is_wrong() -> None:
    """One sentence each, no two the same."""
    sentences = [variant.wrong for variant in VARIANTS.values()]
    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == len(sentences)
