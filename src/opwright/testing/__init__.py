"""What the tests of an application need.

relocate   another database, and another clock, for the time of a test
submitted  what was submitted, and assertions about it
drain      carry out what is ready, here, by the real engine
inline     carry out each submit before it returns
running    one trigger alone, without a database
contract   our promises, as tests that an engine of your own can be held to
plugin     fixtures, for pytest
"""

from opwright.clock import TurnedClock
from opwright.testing.drain import Drained, drain
from opwright.testing.inline import inline
from opwright.testing.relocate import relocated
from opwright.testing.running import running
from opwright.testing.submitted import Submitted, assert_submitted, refute_submitted, submitted

__all__ = [
    "Drained",
    "Submitted",
    "TurnedClock",
    "assert_submitted",
    "drain",
    "inline",
    "refute_submitted",
    "relocated",
    "running",
    "submitted",
]
