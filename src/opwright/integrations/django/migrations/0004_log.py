"""Opwright's migration 4."""

from django.db import migrations

from opwright.integrations.django.install import Install


class Migration(migrations.Migration):
    """See ``store/migrations``."""

    dependencies = (("opwright", "0003_sweeps"),)
    operations = (Install(4),)
