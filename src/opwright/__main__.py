"""``python -m opwright``: the command line."""

import sys

from opwright.cli import main

sys.exit(main())
