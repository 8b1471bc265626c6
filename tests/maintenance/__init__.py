"""Tests of what is deleted by age or by number."""
