from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.functions import Now


def doubt_earlier_attempts(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Earlier versions did not note that an attempt wrote a file under its final name, and a worker that died left no
    count of it either: each of these may lie at the dropzone."""
    rows = apps.get_model("exports", "ERPExport").objects.using(editor.connection.alias).filter(status="PENDING")
    unknown = rows.filter(staged_path="", unwitnessed_since=None, handed_over_at=None, undecided_since=None)
    unknown.update(unwitnessed_since=Now())


class Migration(migrations.Migration):
    dependencies = [("exports", "0018_acks_left")]
    operations = [migrations.RunPython(doubt_earlier_attempts, migrations.RunPython.noop)]
