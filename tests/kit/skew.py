"""How wrong the clock of a host is: a file that the processes of ``tests.kit.skewed`` read each time they ask for the time."""

from pathlib import Path

HOUR = 3600  # seconds


def skew_file(events: Path) -> Path:
    """Where the skew of the host stands that writes its events there."""
    return events.with_suffix(".skew")


class Wall:
    """The clock on the wall of one host."""

    def __init__(self, folder: Path, host: str, seconds: int) -> None:
        self.folder = folder
        self._file = skew_file(folder / f"{host}.events")
        self.set(seconds)

    def set(self, seconds: int) -> None:
        """Let it be wrong by so many seconds from now on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._file)
