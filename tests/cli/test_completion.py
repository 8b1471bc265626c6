"""`opwright completion` prints what makes a shell complete; the shells' questions are answered."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.kit import Shell, clean_environment

SHELLS = ("bash", "zsh", "fish")


def answers(shell: Shell, line: str, kind: str = "bash") -> list[str]:
    """What is offered for the last word of a line, by the protocol of a shell's script."""
    words = line.split(" ")
    position = words[-1] if kind == "fish" else str(len(words) - 1)
    done = shell("-h", _OPWRIGHT_COMPLETE=f"{kind}_complete", COMP_WORDS=line, COMP_CWORD=position)
    assert done.code == 0, done.err
    return done.out.split("\n")


def offered(shell: Shell, line: str) -> list[str]:
    """The words that bash is offered."""
    return [answer.partition(",")[2] for answer in answers(shell, line) if answer]


@pytest.mark.parametrize("name", SHELLS)
def test_the_script_says_how_to_install_it(local_shell: Shell, name: str) -> None:
    done = local_shell.inside("completion", name)
    assert done.code == 0
    assert f"_OPWRIGHT_COMPLETE={name}_complete" in done.out
    last = done.out.splitlines()[-1]
    assert last.startswith("# To install: ")
    assert f"opwright completion {name}" in last
    assert local_shell.inside("completion", "csh").code == 2


@pytest.mark.parametrize("name", SHELLS)
def test_each_shell_is_answered(local_shell: Shell, name: str) -> None:
    """Bash is told words; zsh and fish also what they mean."""
    found = "\n".join(answers(local_shell, "opwright ope", name))
    assert "operations" in found
    assert ("List operations" in found) is (name != "bash")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("opwright operations ", ["cancel", "follow", "list", "resume", "retry", "show"]),
        ("opwright operations list --status P", ["pending", "processing"]),
        ("opwright operations list --tr", ["--trigger"]),
        ("opwright operations list assets --trigger s", ["stumble"]),
        ("opwright operations cancel assets --trigger r", ["render"]),
        ("opwright submit assets lo", ["login"]),
        ("opwright submit assets render ", ["photo=", "width="]),
        ("opwright submit assets render --queue ", ["default"]),
        ("opwright submit nosuch re", []),
        ("opwright completion z", ["zsh"]),
    ],
)
def test_what_is_offered(local_shell: Shell, line: str, expected: list[str]) -> None:
    """Commands, options, statuses, and what the TARGET names. No database is made for it."""
    assert offered(local_shell, line) == expected
    assert not (local_shell.folder / "local.db").exists()


def test_a_target_is_completed_as_a_file(local_shell: Shell) -> None:
    assert answers(local_shell, "opwright check ass")[0] == "file,ass"


def test_what_an_application_prints_is_no_completion(local_shell: Shell) -> None:
    local_shell.write("loud.py", "print('plain,noise')\nfrom assets import ops\n")
    assert offered(local_shell, "opwright submit loud lo") == ["login"]


def test_bash_itself_completes(local_shell: Shell, tmp_path: Path) -> None:
    """A real bash reads the script and asks through it."""
    bash = shutil.which("bash")
    assert bash
    local_shell.write("opwright", f'#!/bin/sh\nexec {sys.executable} -m opwright "$@"\n')
    (local_shell.folder / "opwright").chmod(0o755)
    asked = (
        'eval "$(opwright completion bash)"\n'
        "COMP_WORDS=(opwright operations list --status P); COMP_CWORD=4\n"
        "$(complete -p opwright | sed 's/.*-F \\([^ ]*\\).*/\\1/') opwright\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    environment = clean_environment() | {"PATH": f"{local_shell.folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, "--norc", "-c", asked], cwd=local_shell.folder, env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("pending processing\n", "")
