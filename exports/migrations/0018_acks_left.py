from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('exports', '0017_withdrawn_exports'),
    ]

    operations = [
        migrations.AlterField(
            model_name='exportevent',
            name='kind',
            field=models.CharField(choices=[('REQUESTED', 'Push requested'), ('STAGED', 'Staged'), ('SENT', 'Sent'), ('RETRY', 'Try failed, another is planned'), ('BLOCKED', 'Connection blocked'), ('RELEASED', 'Connection free again, goes now'), ('UNDECIDED', 'In doubt, a person has to decide'), ('DECIDED', 'Decided by a person'), ('FAILED', 'Failed'), ('ACKED', 'Acknowledged'), ('CONFLICT', 'Contradicting answer'), ('LATE', 'Late answer'), ('GIVEN_UP', 'Given up'), ('WITHDRAWN', 'Withdrawn'), ('ACKS_LEFT', 'Acknowledgements read elsewhere'), ('RECOVERED', 'Recovered after the database went back in time')], max_length=10),
        ),
    ]
