"""Opwright's migration 2."""

from django.db import migrations

from opwright.integrations.django.install import Install


class Migration(migrations.Migration):
    """See ``store/migrations``."""

    dependencies = (("opwright", "0001_engine"),)
    operations = (Install(2),)
