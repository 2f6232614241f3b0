from django.db import migrations

from orderflow.fields.normalize_rows import normalise_rows


def normalise(apps, schema_editor):
    normalise_rows(apps.get_model("connectors", "ERPConnection").objects.all(), ["name"])


class Migration(migrations.Migration):
    dependencies = [("connectors", "0004_connection_tests")]

    operations = [migrations.RunPython(normalise, migrations.RunPython.noop)]
