from django.db import migrations


def leave_room(apps, schema_editor):
    """An order is updated several times after it came: within its page, no index needs to know."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE orders_draftorder SET (fillfactor = 75)")


def leave_none(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE orders_draftorder RESET (fillfactor)")


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_indexes_for_growth")]

    operations = [migrations.RunPython(leave_room, leave_none)]
