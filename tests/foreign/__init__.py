"""Submits in the transactions of every library that applications use."""
