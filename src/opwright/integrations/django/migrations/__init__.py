"""Opwright's own migrations as Django knows them: for each number there is one file, of the same name."""
