from django.db import migrations, models
from django.db.models import F


def keep_what_is_known(apps, _schema_editor):
    """A connection whose last test passed, or whose server let a session in, does not become an untested one."""
    rows = apps.get_model("connectors", "ERPConnection").objects
    rows.update(resolved_at=F("reached_at"))
    rows.filter(last_test_success=True).update(works_since=F("last_test_at"))
    rows.filter(last_test_success=None).update(works_since=F("reached_at"))


class Migration(migrations.Migration):

    dependencies = [
        ('connectors', '0006_reached_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='erpconnection',
            name='login_first',
            field=models.CharField(blank=True, db_default='', editable=False, max_length=11),
        ),
        migrations.AddField(
            model_name='erpconnection',
            name='resolved_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='erpconnection',
            name='works_since',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RunPython(keep_what_is_known, migrations.RunPython.noop, elidable=True),
    ]
