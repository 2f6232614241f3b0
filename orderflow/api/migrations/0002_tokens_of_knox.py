import uuid

from django.db import migrations

TAKE_OVER = """
    INSERT INTO api_apitoken (id, digest, token_key, user_id, created, expiry, name)
    SELECT %s, digest, token_key, user_id, created, expiry, 'Log-in' FROM knox_authtoken WHERE digest = %s
"""


def take_over(apps, schema_editor):
    """Tokens of before go on working. Their table would keep users from being deleted."""
    database = schema_editor.connection
    if "knox_authtoken" not in database.introspection.table_names():
        return
    key = apps.get_model("api", "ApiToken")._meta.pk
    with database.cursor() as cursor:
        cursor.execute("SELECT digest FROM knox_authtoken WHERE expiry IS NOT NULL")
        for (digest,) in cursor.fetchall():
            cursor.execute(TAKE_OVER, [key.get_db_prep_value(uuid.uuid4(), database), digest])
    schema_editor.execute("DROP TABLE knox_authtoken")


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial")]

    operations = [migrations.RunPython(take_over, migrations.RunPython.noop)]
