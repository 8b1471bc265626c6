"""Opwright in a Django project. Django can be configured once per process, so each story runs in a process of its own."""
