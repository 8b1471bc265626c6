"""Opwright in a Django project: add ``opwright.integrations.django`` to INSTALLED_APPS and import ``ops`` from here.

It is made when it is first imported, from the settings alone, so that ``<app>/operations.py`` may decorate functions with it
while Django still loads its apps.
"""

from opwright.integrations.django.application import ops

__all__ = ["ops"]
