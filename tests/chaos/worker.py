"""What hosts and workers import."""

import os

from tests.chaos.application import Application
from tests.kit.events import write_events

write_events()
application = Application(os.environ["OPWRIGHT_URL"])
ops = application.ops
