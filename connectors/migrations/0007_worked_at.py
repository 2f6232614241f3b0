from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('connectors', '0006_reached_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='erpconnection',
            name='worked_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
