"""``python -m tests.kit.host module:ops``: a host until a signal comes, set up by the environment alone."""

import asyncio
import logging
import sys

from opwright import Opwright
from opwright.app.target import parse


def main(place: str) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    target = parse(place)
    ops: Opwright = target.load()
    ops.found_at(target)
    asyncio.run(ops.host().run())


if __name__ == "__main__":
    main(sys.argv[1])
