"""Watchers wake schedulers and log readers early. They carry no data, and polling always stays underneath."""
