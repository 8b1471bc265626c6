"""Two hosts, many operations, and everything that can go wrong at once; an auditor who trusts nobody: `python -m tests.chaos`."""
