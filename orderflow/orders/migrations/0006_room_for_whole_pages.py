from django.db import migrations

# A batch of answers updates all the rows of a page in one transaction: each needs room there for its next version.


def leave_room(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE orders_draftorder SET (fillfactor = 50)")


def leave_less(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE orders_draftorder SET (fillfactor = 75)")


class Migration(migrations.Migration):
    dependencies = [("orders", "0005_searched")]

    operations = [migrations.RunPython(leave_room, leave_less)]
