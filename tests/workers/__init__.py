"""Worker pools, with real processes."""
