"""Promises that only real processes can keep or break: workers, hosts and databases that die, stop, or race."""
