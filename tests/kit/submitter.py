"""``python -m tests.kit.submitter FIRST COUNT``: a process that runs no host and submits, once a line on its stdin says so."""

import sys

from tests.kit.worker import application


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(first: int, count: int) -> None:
    say("ready")
    sys.stdin.readline()
    for number in range(first, first + count):
        application.record.submit(number).now()
    say("done")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
