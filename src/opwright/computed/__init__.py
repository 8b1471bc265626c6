"""Cached async functions that know who used whom: invalidating one value invalidates all that were made from it."""
