"""What hosts and workers of the market import."""

import os

from tests.kit.events import write_events
from tests.kit.market import Market

write_events()
ops = Market(os.environ["OPWRIGHT_URL"]).ops
