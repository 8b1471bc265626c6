"""What hosts and workers import: the application on the database that the environment names."""

import os

from tests.kit.application import Application
from tests.kit.events import write_events

write_events()
application = Application(os.environ["OPWRIGHT_URL"])
ops = application.ops
