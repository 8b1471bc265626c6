"""What the commands say about themselves, and how they end when asked wrongly."""

from pathlib import Path

import click
import pytest

from opwright.cli.commands import commands
from opwright.version import VERSION
from tests.cli.kit import Shell

GROUPS: dict[str, list[str]] = {
    "": ["check", "completion", "hosts", "migrate", "operations", "queues", "run", "settings", "submit", "workers"],
    "operations": ["cancel", "follow", "list", "resume", "retry", "show"],
    "queues": ["list", "pause", "resume"],
}
COMMANDS = [
    " ".join(filter(None, (group, command))) for group, members in GROUPS.items() for command in members if command not in GROUPS
]


@pytest.mark.parametrize("group", GROUPS)
def test_help_lists_every_command(local_shell: Shell, group: str) -> None:
    asked = local_shell.inside(*group.split(), "--help")
    assert asked.code == 0
    for command in GROUPS[group]:
        assert f"\n  {command} " in asked.out
    if group != "queues":  # which lists them
        alone = local_shell.inside(*group.split())
        assert asked.out.strip() == (alone.out + alone.err).strip()
    if not group:
        assert "Exit codes: 0 fine, 1 what was asked for failed, 2 wrong use" in asked.out


def test_every_command_is_known_here_and_in_the_guide() -> None:
    """One that is added must explain itself below, and in docs/guides/command-line.md."""
    groups = {name: command for name, command in commands.commands.items() if isinstance(command, click.Group)}
    assert {"": sorted(commands.commands)} | {name: sorted(group.commands) for name, group in groups.items()} == GROUPS
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "command-line.md").read_text()
    assert [command for command in COMMANDS if f"\n    opwright {command}" not in guide] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(local_shell: Shell, command: str) -> None:
    done = local_shell.inside(*command.split(), "-h")
    assert done.code == 0
    assert f"Usage: opwright {command}" in done.out
    assert f"Examples:\n    opwright {command} " in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_the_version(local_shell: Shell) -> None:
    assert local_shell.inside("--version").out == f"opwright {VERSION}\n"


@pytest.mark.parametrize("arguments", [("cancel",), ("run",), ("run", "assets", "--speed"), ("check", "assets", "--url", "x")])
def test_wrong_use_is_told_in_two_lines(local_shell: Shell, arguments: tuple[str, ...]) -> None:
    done = local_shell.inside(*arguments)
    assert (done.code, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first.startswith("Error: ")
    assert second.startswith("Try 'opwright")


def test_an_address_as_target_and_a_module_that_is_not_there(local_shell: Shell) -> None:
    assert "write --url before it" in local_shell.inside("migrate", "sqlite:///x.db").err
    missing = local_shell.inside("migrate", "nosuch")
    assert (missing.code, missing.err) == (2, f"Error: there is no module 'nosuch' here ({local_shell.folder})\n")
    (local_shell.folder / "inner").mkdir()
    local_shell.write("inner/app.py", "")
    assert "did you mean inner/app.py?" in local_shell.inside("migrate", "inner/app").err
