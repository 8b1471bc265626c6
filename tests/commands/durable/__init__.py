"""Durable scopes, on a real database of each kind."""
