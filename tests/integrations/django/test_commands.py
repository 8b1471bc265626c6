"""``manage.py opwright …`` and ``manage.py test``."""

import json
from pathlib import Path

import pytest

from tests.integrations.django.kit import SETTINGS, manage, python
from tests.kit.tables import Tables


def test_every_command_is_about_this_project(sqlite_path: Path) -> None:
    """No TARGET is given, inputs and options pass as they are, and the exit codes are those of the command line."""
    url = f"sqlite:///{sqlite_path}"
    manage(url, "migrate", "-v0")
    identifier = manage(url, "opwright", "submit", "render", "photo=7", "--priority", "-5", "--json")
    number = json.loads(identifier)["id"]
    assert json.loads(manage(url, "opwright", "operations", "list", "--json"))[0]["inputs"] == {"photo": 7}
    assert "priority -5" in manage(url, "opwright", "operations", "show", number, "--settings", SETTINGS)
    assert "render" in manage(url, "opwright", "--settings", SETTINGS, "operations", "list")
    assert "there is no 'nothing'" in manage(url, "opwright", "submit", "nothing", code=2)
    check = manage(url, "opwright", "check", code=1)  # no host is alive, and something waits
    assert "opwright.integrations.django.worker:ops" in check
    assert "all fit to travel" in check
    assert "Usage: manage.py opwright run" in manage(url, "opwright", "run", "--help")
    assert "TARGET is this project" in manage(url, "opwright", "--help")
    assert "no issues" in manage(url, "check")


@pytest.mark.parametrize("fast", [True, False])
async def test_tests_of_the_project_have_the_tables_and_touch_nothing_else(database_url: str, *, fast: bool) -> None:
    """``manage.py test`` makes a database of its own (SQLite's in memory); operations go there, and a test rolls them back."""
    words = ("test", "tests.integrations.django.project", "--pattern", "suite.py", *(() if fast else ("--parallel", "2")))
    said = manage(database_url, *words)
    assert "OK" in said
    if not database_url.startswith("sqlite"):
        assert await Tables(database_url).rows("select 1 where to_regclass('opwright.operations') is not null") == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('{"ulr": "sqlite:///x.db"}', "OPWRIGHT has no setting 'ulr'; it knows database, schema, url"),
        ('{"database": "none"}', "OPWRIGHT['database'] is 'none', which is not in DATABASES"),
        ('{"database": null}', "OPWRIGHT['url'] must say where the operations are"),
        ('{"schema": "Wrong"}', "schema: 'Wrong' must be lower-case letters"),
    ],
)
def test_wrong_settings_are_named(sqlite_path: Path, settings: str, words: str) -> None:
    done = python(f"sqlite:///{sqlite_path}", "-m", "django", "check", PROJECT_OPWRIGHT=settings)
    assert done.returncode == 1
    assert words in done.stderr


def test_tests_never_reach_the_database_of_an_own_address(sqlite_path: Path) -> None:
    """The alias follows the test runner, an address does not; so the tests are refused before they begin."""
    url = f"sqlite:///{sqlite_path}"
    words = ("test", "tests.integrations.django.project", "--pattern", "suite.py")
    said = manage(url, *words, code=1, PROJECT_OPWRIGHT=json.dumps({"url": f"sqlite:///{sqlite_path.parent}/own.db"}))
    assert "leave it out in the settings of tests" in said
    assert not sqlite_path.exists()


def test_a_backend_without_its_app_is_found_by_check(sqlite_path: Path) -> None:
    """Otherwise no worker would know a single task."""
    said = manage(f"sqlite:///{sqlite_path}", "check", code=1, PROJECT_WITHOUT="opwright.integrations.django")
    assert "(opwright.E001) OpwrightBackend needs its app." in said


def test_settings_for_tests_may_name_memory() -> None:
    """Tests of such a project run; a host says that it cannot."""
    memory = "sqlite:///:memory:"
    assert "OK" in manage(memory, "test", "tests.integrations.django.project", "--pattern", "suite.py")
    assert "memory will not do" in manage(memory, "opwright", "run", code=2)


def test_operations_may_live_in_a_database_of_their_own(sqlite_path: Path, tmp_path: Path) -> None:
    """Then no transaction is joined, and Django's migrations leave that database to ``opwright migrate``."""
    url, own = f"sqlite:///{sqlite_path}", tmp_path / "own.db"
    apart = json.dumps({"url": f"sqlite:///{own}", "database": None})
    manage(url, "migrate", "-v0", PROJECT_OPWRIGHT=apart)
    assert not own.exists()
    assert "applied 0001 engine" in manage(url, "opwright", "migrate", PROJECT_OPWRIGHT=apart)
    python(url, "-m", "tests.integrations.django.stories", "apart", PROJECT_OPWRIGHT=apart).check_returncode()
