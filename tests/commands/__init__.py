"""The command pipeline, without a database."""
