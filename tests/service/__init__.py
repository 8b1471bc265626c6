"""The one way to start, stop, wake and step."""
