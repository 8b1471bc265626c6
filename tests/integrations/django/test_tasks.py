"""The backend of Django's tasks."""

from pathlib import Path

from tests.integrations.django.kit import host, manage, story


def test_the_backend_keeps_what_django_promises_of_tasks(database_url: str, tmp_path: Path) -> None:
    """Results, priorities, queues, delays, context, async tasks, errors with class and traceback, refusals, transactions."""
    manage(database_url, "migrate", "-v0")
    with host(database_url, tmp_path):
        story(database_url, "tasks_backend")
