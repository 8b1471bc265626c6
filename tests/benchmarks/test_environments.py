"""A peer's environment is made once, and what cannot be made says why."""

import sys
from pathlib import Path

import pytest

from benchmarks.peers.environments import Unavailable, _made, python

COUNT = [sys.executable, "-c", "open('../made', 'a').write('x')"]


def test_an_environment_is_made_once_for_the_same_requirements(tmp_path: Path) -> None:
    for _ in range(2):
        _made(tmp_path / "peer", ("peer==1.0",), [COUNT])
    assert (tmp_path / "made").read_text() == "x"

    _made(tmp_path / "peer", ("peer==1.1",), [COUNT])
    assert (tmp_path / "made").read_text() == "xx"


def test_a_half_made_environment_is_made_again(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        _made(tmp_path / "peer", ("peer==1.0",), [COUNT, ["false"]])
    _made(tmp_path / "peer", ("peer==1.0",), [COUNT])
    assert (tmp_path / "made").read_text() == "xx"


def test_a_missing_tool_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="there is no no-such-npm here"):
        _made(tmp_path / "peer", ("peer==1.0",), [["no-such-npm", "install"]])


def test_a_failing_install_is_quoted(tmp_path: Path) -> None:
    failing = [sys.executable, "-c", "import sys; sys.exit('no version of peer')", "peer==9"]
    with pytest.raises(Unavailable, match="could not install peer==9: no version of peer"):
        _made(tmp_path / "peer", ("peer==9",), [failing])


def test_a_python_that_is_nowhere_is_named() -> None:
    with pytest.raises(Unavailable, match=r"there is no Python 4\.0 or newer here"):
        python("nowhere", (), (4, 0))
