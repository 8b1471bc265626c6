"""Settings. PROJECT_DATABASE is the address of the database, in the form that Opwright knows."""

import json
import os
from typing import Any
from urllib.parse import urlsplit

_address = urlsplit(os.environ["PROJECT_DATABASE"])

DATABASES: dict[str, dict[str, Any]]
if _address.scheme == "sqlite":
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _address.path[1:]}}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql", "NAME": _address.path[1:], "USER": _address.username,
            "HOST": _address.hostname, "PORT": _address.port,
        }
    }  # fmt: skip
DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}

SECRET_KEY = "of a test"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["opwright.integrations.django", "django_tasks", "tests.integrations.django.project"]
if "PROJECT_WITHOUT" in os.environ:
    INSTALLED_APPS.remove(os.environ["PROJECT_WITHOUT"])
OPWRIGHT = json.loads(os.environ.get("PROJECT_OPWRIGHT", "{}"))
TASKS = {
    "default": {"BACKEND": "opwright.integrations.django.backend.OpwrightBackend", "QUEUES": ["default", "mail"]},
    "patient": {"BACKEND": "opwright.integrations.django.backend.OpwrightBackend", "OPTIONS": {"retries": 1, "backoff": 0}},
}
