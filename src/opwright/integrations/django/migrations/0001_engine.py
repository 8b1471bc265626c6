"""Opwright's migration 1."""

from django.db import migrations

from opwright.integrations.django.install import Install


class Migration(migrations.Migration):
    """See ``store/migrations``."""

    dependencies = ()
    operations = (Install(1),)
