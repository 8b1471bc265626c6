"""Faults that others have met, injected into real processes and real servers: each test names the promise that must hold."""
