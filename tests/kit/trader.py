"""What hosts and workers of the shop import."""

import os

from tests.kit.events import write_events
from tests.kit.trade import Trade

write_events()
ops = Trade(os.environ["OPWRIGHT_URL"]).ops
