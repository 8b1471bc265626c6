"""The older application, as hosts and workers import it."""

import os

from tests.kit.application import Older
from tests.kit.events import write_events

write_events()
ops = Older(os.environ["OPWRIGHT_URL"]).ops
