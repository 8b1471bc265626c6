"""The scheduler of a host: lease, claims, workers, verdicts, housekeeping."""
