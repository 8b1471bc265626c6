"""Triggers, submitting, handles."""
