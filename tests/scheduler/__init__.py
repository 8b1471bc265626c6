"""The scheduler of a host, step by step."""
