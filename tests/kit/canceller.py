"""``python -m tests.kit.canceller ID …``: a process that runs no host and cancels; it writes what it was told."""

import sys

from tests.kit.worker import ops


def main(operations: list[int]) -> None:
    answers = [ops.handle(operation).cancel().now() for operation in operations]
    sys.stdout.write(" ".join(map(str, answers)))


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
