"""Triggers, submitting, handles: what an application's code touches."""
