"""What worker processes and ``opwright`` commands import: the application, after Django has been set up."""

import django

from opwright.integrations.django.application import ops

__all__ = ["ops"]

django.setup()
