"""Programs that show Opwright at work; each runs as `python -m examples.<name>`."""
