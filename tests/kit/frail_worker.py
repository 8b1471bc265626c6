"""What hosts and workers import: the frail application on the database that the environment names."""

import os

from tests.kit.events import write_events
from tests.kit.frail import Frail

write_events()
ops = Frail(os.environ["OPWRIGHT_URL"]).ops
