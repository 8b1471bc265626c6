"""The application on an empty database, and what can be seen of it from outside."""

from tests.integration.conftest import application, diary, tables

__all__ = ["application", "diary", "tables"]
