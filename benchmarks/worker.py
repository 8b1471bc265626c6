"""What worker processes and a host apart import: the application on the database that the environment names.

``python -m benchmarks.worker '{"pool": "inline"}'`` is a host, which says ``ready`` once its workers are.
"""

import os
import sys

import msgspec

from benchmarks.application import Application
from benchmarks.hosts import heated
from benchmarks.loop import run
from opwright.settings import Overrides

application = Application.on(os.environ["OPWRIGHT_URL"])
ops = application.ops


async def serve(settings: Overrides) -> None:
    """Be a host until a signal comes."""
    host = ops.host(**settings)
    await host.start()
    await heated(host)
    print("ready", flush=True)
    await host.run()


if __name__ == "__main__":
    run(serve(msgspec.json.decode(sys.argv[1], type=Overrides)))
