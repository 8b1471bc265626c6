"""Opwright's migration 3."""

from django.db import migrations

from opwright.integrations.django.install import Install


class Migration(migrations.Migration):
    """See ``store/migrations``."""

    dependencies = (("opwright", "0002_limits_waits_followers"),)
    operations = (Install(3),)
