from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('connectors', '0005_normalised_names'),
    ]

    operations = [
        migrations.AddField(
            model_name='erpconnection',
            name='reached_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
