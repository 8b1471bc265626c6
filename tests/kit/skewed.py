"""The application on a machine whose clock is wrong: by as many seconds as a file of its host says, which may change."""

import os
import time
from pathlib import Path

from tests.kit.application import Application
from tests.kit.events import FILE, write_events
from tests.kit.skew import skew_file

_true = time.time_ns


_file = skew_file(Path(os.environ[FILE]))


def _skewed() -> int:
    return _true() + int(_file.read_text()) * 10**9


time.time_ns = _skewed
time.time = lambda: _skewed() / 1e9

write_events()


class Skewed(Application):
    """The application, as the workers of such a host find it."""

    module = "tests.kit.skewed"


ops = Skewed(os.environ["OPWRIGHT_URL"]).ops
