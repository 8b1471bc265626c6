"""Settings. All files lie in ./shop_files; DATABASE_URL may name a PostgreSQL database instead of the SQLite file."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

FILES = Path("shop_files").absolute()
FILES.mkdir(exist_ok=True)

database: dict[str, Any]
if url := os.environ.get("DATABASE_URL"):
    address = urlsplit(url)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(address.path[1:]),
        "USER": unquote(address.username or ""),
        "PASSWORD": unquote(address.password or ""),
        "HOST": address.hostname or "",
        "PORT": address.port or "",
    }
else:
    # A view that reads first and writes later would else be refused when somebody wrote in between.
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FILES / "shop.db",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }

DATABASES = {"default": database}
INSTALLED_APPS = ["opwright.integrations.django", "shop"]
MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
ROOT_URLCONF = "shop.urls"
ALLOWED_HOSTS = ["127.0.0.1"]
SECRET_KEY = os.environ.get("SECRET_KEY", "for an example only")
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = FILES / "mail"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"django": {"level": "ERROR"}, "opwright": {"level": "ERROR"}},
}
