"""Watchers, against real files and real servers."""
