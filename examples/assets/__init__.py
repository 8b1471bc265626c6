"""Renders a folder of photographs in several widths: `python -m examples.assets --help`."""
