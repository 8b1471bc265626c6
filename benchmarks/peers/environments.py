"""An environment for each peer under ``build/peers``, made on first use from the registries."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.peer import Peer

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "peers"
INSTALL = 300  # seconds


class Unavailable(Exception):
    """A peer that cannot be measured here, and why."""


def command(peer: Peer) -> list[str]:
    """What runs the peer's program, its environment made where it is not yet. Raises Unavailable."""
    folder = BUILD / peer.name
    if peer.runtime == "node":
        _made(folder, peer.requirements, [["npm", "install", "--no-audit", "--no-fund", *peer.requirements]])
        return ["node", str(ROOT / "benchmarks" / "peers" / "programs" / f"{peer.name}.mjs")]
    return [python(peer.name, peer.requirements, peer.python), "-m", f"benchmarks.peers.programs.{peer.name}"]


def python(name: str, requirements: tuple[str, ...], least: tuple[int, int] = (3, 11)) -> str:
    """The Python of a virtual environment that has the requirements. Raises Unavailable."""
    folder = BUILD / name
    inside = str(folder / "bin" / "python")
    steps = [
        [_interpreter(least), "-m", "venv", "--clear", str(folder)],
        [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
    ]
    _made(folder, requirements, steps)
    return inside


def _made(folder: Path, requirements: tuple[str, ...], steps: list[list[str]]) -> None:
    """Make the environment anew unless its stamp names the same requirements."""
    stamp = folder / ".requirements"
    if stamp.exists() and stamp.read_text().split("\n") == list(requirements):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for step in steps:
        _done(step, folder)
    stamp.write_text("\n".join(requirements))


def _done(step: list[str], folder: Path) -> None:
    name = Path(step[0]).name
    try:
        done = subprocess.run(step, cwd=folder, capture_output=True, text=True, errors="replace", timeout=INSTALL, check=False)
    except FileNotFoundError:
        raise Unavailable(f"there is no {name} here") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{name} has not installed {step[-1]} after {INSTALL} s") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
        raise Unavailable(f"{name} could not install {step[-1]}: {said[-1]}")


def _interpreter(least: tuple[int, int]) -> str:
    """A Python that is new enough, this one if it is. Raises Unavailable."""
    if sys.version_info >= least:
        return sys.executable
    for candidate in _candidates(least):
        if _works(candidate, least):
            return candidate
    raise Unavailable(f"there is no Python {least[0]}.{least[1]} or newer here")


def _candidates(least: tuple[int, int]) -> Iterator[str]:
    names = [f"python{least[0]}.{minor}" for minor in range(least[1] + 2, least[1] - 1, -1)]
    yield from filter(None, map(shutil.which, names))
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for name in names:
        yield from map(str, versions.glob(f"*/bin/{name}"))


def _works(candidate: str, least: tuple[int, int]) -> bool:
    """Whether it runs at all: a name on the path may be a shim of a version that is not there."""
    question = f"import sys, ensurepip; sys.exit(sys.version_info < {least})"
    try:
        return not subprocess.run([candidate, "-c", question], capture_output=True, check=False, timeout=30).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False
