"""The model."""
# Django tells no types.
# mypy: disable-error-code="misc"

from django.db import models


class Photo(models.Model):
    """Something of the application's own."""

    name = models.CharField(max_length=40)

    class Meta:
        app_label = "project"

    def __str__(self) -> str:
        return str(self.name)
