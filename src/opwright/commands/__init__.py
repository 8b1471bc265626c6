"""Typed requests, the pipeline they pass through, and what is invalidated when one has succeeded."""
