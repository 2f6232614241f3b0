from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('heartbeats', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Fault',
            fields=[
                ('name', models.CharField(max_length=255, primary_key=True, serialize=False)),
                ('since', models.DateTimeField()),
                ('at', models.DateTimeField(help_text="When it was last seen to fail, by the database's clock.")),
                ('reason', models.CharField(blank=True, max_length=500)),
            ],
        ),
    ]
