"""The one table."""
# Django tells no types.
# mypy: disable-error-code="misc"

from django.db import migrations, models


class Migration(migrations.Migration):
    """A photo."""

    dependencies = (("opwright", "0001_engine"),)
    operations = (
        migrations.CreateModel(
            "Photo",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40)),
            ],
        ),
    )
