"""A Django project with one model, triggers and tasks."""
