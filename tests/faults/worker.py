"""What hosts and workers of these tests import."""

import os

from tests.faults.unruly import Unruly
from tests.kit.events import write_events

write_events()
ops = Unruly(os.environ["OPWRIGHT_URL"]).ops
