"""`opwright settings` prints each value and where it comes from."""

import os
import pty
import subprocess
import termios
from pathlib import Path
from typing import Any

from opwright.cli.run import run
from opwright.settings import TABLE, Settings
from tests.cli.kit import APPLICATION, Shell, clean_environment

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def rows(printed: Any) -> dict[str, Any]:
    """Value and source by name, from what --json prints."""
    return {row["name"]: (row["value"], row["source"]) for row in printed["settings"]}


def test_each_setting_stands_with_its_value_and_its_source(local_shell: Shell) -> None:
    local_shell.write("opwright.toml", 'slots = 3\nqueues = ["mail", "photos"]\nurl = "sqlite:///here.db"\n')
    environment = {"OPWRIGHT_WORKERS": "4", "OPERATION_WAIT_INTERVAL": "90000"}
    done = local_shell("settings", **environment)
    assert (done.code, done.err) == (0, "")
    head, *lines = done.out.splitlines()
    assert head.split() == ["SETTING", "VALUE", "FROM", "MEANING"]
    assert [line.split()[0] for line in lines[: len(TABLE)]] == list(TABLE)
    for line in (
        "url                 sqlite:///here.db  opwright.toml            the database: ",
        "workers             4                  OPWRIGHT_WORKERS         worker processes",
        "queues              mail, photos       opwright.toml            the queues to serve",
        "heartbeat           2 s                default                  time between ",
        "wait_interval       90 s               OPERATION_WAIT_INTERVAL  how long ",
        "recycle_megabytes   never              default                  memory ",
    ):
        assert f"\n{line}" in done.out
    assert done.out.endswith(f"\n\nfile: {local_shell.folder}/opwright.toml\n")

    printed = local_shell.inside("settings", "--json", **environment).json
    assert printed["file"] == f"{local_shell.folder}/opwright.toml"
    assert printed["remarks"] == []
    assert list(rows(printed)) == list(TABLE)
    assert rows(printed)["queues"] == (["mail", "photos"], "opwright.toml")
    assert rows(printed)["wait_interval"] == (90.0, "OPERATION_WAIT_INTERVAL")
    assert rows(printed)["slots"] == (3, "opwright.toml")
    assert rows(printed)["recycle_after"] == (None, "default")


def test_with_a_target_the_database_is_that_of_the_application(local_shell: Shell) -> None:
    environment = {"OPWRIGHT_URL": "sqlite:///other.db", "OPWRIGHT_SCHEMA": "mine"}
    alone = rows(local_shell.inside("settings", "--json", **environment).json)
    assert (alone["url"], alone["schema"]) == (("sqlite:///other.db", "OPWRIGHT_URL"), ("mine", "OPWRIGHT_SCHEMA"))
    named = rows(local_shell.inside("settings", "assets", "--json", **environment).json)
    assert (named["url"], named["schema"]) == (("sqlite:///local.db", "argument"), ("mine", "OPWRIGHT_SCHEMA"))


def test_a_schema_in_the_address_wins_and_is_told(local_shell: Shell) -> None:
    printed = local_shell.inside("settings", "--json", OPWRIGHT_URL="postgresql://h/d?schema=inner", OPWRIGHT_SCHEMA="outer").json
    assert rows(printed)["schema"] == ("inner", "url")


def test_a_password_is_never_printed(local_shell: Shell) -> None:
    local_shell.write(
        "pyproject.toml", '[tool.opwright]\nurl = "postgresql://app:hidden@db/app"\nlog_watcher = "redis://:hidden@r"\n'
    )
    for arguments in ((), ("--json",)):
        done = local_shell.inside("settings", *arguments)
        assert "postgresql://app:***@db/app" in done.out
        assert "redis://:***@r" in done.out
        assert "hidden" not in done.out + done.err


def test_without_a_file_it_says_where_it_looked(local_shell: Shell) -> None:
    done = local_shell.inside("settings")
    assert done.out.endswith(f"file: none: neither opwright.toml nor [tool.opwright] of pyproject.toml in {local_shell.folder}\n")
    assert "\nurl                 none            default  the database" in done.out
    printed = local_shell.inside("settings", "--json").json
    assert (printed["file"], rows(printed)["url"]) == (None, ("", "default"))


def test_what_looks_like_a_mistake_stands_below(local_shell: Shell) -> None:
    environment = {"OPWRIGHT_WROKERS": "3", "OPERATION_WAIT_INTERVAL": "90000", "OPWRIGHT_WAIT_INTERVAL": "60"}
    done = local_shell.inside("settings", **environment)
    assert done.code == 0
    remarks = local_shell.inside("settings", "--json", **environment).json["remarks"]
    assert remarks[0].startswith("OPERATION_WAIT_INTERVAL=90000 (in ms) has no effect: OPWRIGHT_WAIT_INTERVAL=60 (in s)")
    assert remarks[1:] == ["OPWRIGHT_WROKERS is no setting; did you mean OPWRIGHT_WORKERS?"]
    assert done.out.endswith("".join(f"!  {remark}\n" for remark in remarks))


def test_a_value_that_does_not_fit_is_told_in_a_line(local_shell: Shell) -> None:
    done = local_shell.inside("settings", OPWRIGHT_WORKERS="two")
    assert (done.code, done.out) == (2, "")
    assert done.err == "Error: OPWRIGHT_WORKERS: 'two' is not a whole number from 1 on\n"
    local_shell.write("opwright.toml", "wrokers = 3\n")
    done = local_shell.inside("settings")
    assert (done.code, done.err) == (
        2, f"Error: {local_shell.folder}/opwright.toml: wrokers is no setting; did you mean workers?\n",
    )  # fmt: skip


def test_commands_without_a_target_take_the_address_of_the_file(local_shell: Shell) -> None:
    local_shell.write("opwright.toml", 'url = "sqlite:///local.db"\nschema = "mine"\n')
    assert local_shell.inside("migrate").out.startswith("applied ")
    assert local_shell.inside("migrate").out == "nothing to do: the schema is up to date\n"
    done = local_shell.inside("check", "--json")
    assert done.json[0]["text"].startswith("sqlite:///local.db")


def test_every_setting_of_a_host_is_an_option_of_run() -> None:
    """None can be set in a file alone."""
    assert set(Settings.__struct_fields__) <= {parameter.name for parameter in run.params}


def test_worker_processes_read_the_file_of_their_host(local_shell: Shell) -> None:
    """The application says no address; host, worker and submitter find the same one."""
    local_shell.write("assets.py", APPLICATION.format(url="").replace("Opwright('')", "Opwright()"))
    local_shell.write("opwright.toml", 'url = "sqlite:///of_file.db"\nworkers = 1\n')
    with local_shell.host() as host:
        done = local_shell("submit", "assets", "render", "photo=cat", "--wait", "20")
    assert done.out.splitlines()[-1] == '"cat@100"'
    assert "database     sqlite:///of_file.db" in host.said
    assert "workers      1 process" in host.said


def test_a_host_warns_once_about_a_variable_that_is_no_setting(local_shell: Shell) -> None:
    with local_shell.host("--pool", "inline", OPWRIGHT_WROKERS="3") as host:
        pass
    assert host.said.count("OPWRIGHT_WROKERS is no setting; did you mean OPWRIGHT_WORKERS?") == 1


def test_a_narrow_terminal_has_the_meaning_below(local_shell: Shell) -> None:
    """80 columns: nothing is wider, nothing is lost."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environment = clean_environment() | {"OPERATION_WAIT_INTERVAL": "90000", "NO_COLOR": "1", "TERM": "dumb"}
    environment["OPWRIGHT_URL"] = "postgresql://app@database.example.org/app"
    subprocess.run(local_shell.command("settings"), cwd=local_shell.folder, env=environment, stdout=theirs, check=True)
    os.close(theirs)
    printed = ""
    while chunk := _read(ours):
        printed += chunk
    os.close(ours)
    lines = printed.replace("\r\n", "\n").splitlines()
    assert max(map(len, lines[: lines.index("")])) <= 80
    assert "    how long an operation stays in WAIT when nobody answers" in lines


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65_536).decode()
    except OSError:  # the other end is closed
        return ""


def test_the_page_shows_what_is_printed(local_shell: Shell) -> None:
    """The sample of the documentation, line for line."""
    page = PAGE.read_text()
    local_shell.write("opwright.toml", page.split("```toml\n")[1].split("```")[0])
    sample = [line[4:] for line in page.split("## What is in force")[1].splitlines() if line.startswith("    ")]
    command, *expected = sample
    variables = dict(word.split("=") for word in command.split() if "=" in word)
    printed = local_shell.inside("settings", **variables).out.replace(str(local_shell.folder), "/srv/app").splitlines()
    assert [line for line in expected if line != "…" and line not in printed] == []
