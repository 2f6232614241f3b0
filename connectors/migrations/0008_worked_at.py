from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('connectors', '0007_known_server'),
    ]

    operations = [
        migrations.AddField(
            model_name='erpconnection',
            name='worked_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
