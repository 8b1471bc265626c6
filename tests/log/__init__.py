"""Tests of the reader of the log: what one process commits is invalidated in the others."""
