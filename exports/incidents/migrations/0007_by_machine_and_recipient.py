import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notices', '0006_degraded_parts'),
        ('tenancy', '0002_searched'),
    ]

    operations = [
        migrations.AddField(
            model_name='incident',
            name='details',
            field=models.CharField(blank=True, db_default='', default='', max_length=500),
        ),
        migrations.AlterField(
            model_name='incident',
            name='kind',
            field=models.CharField(choices=[('BLOCKED', 'Connection blocked'), ('PAUSED', 'Connection paused'), ('POLLING', 'Acknowledgements cannot be read'), ('FAILING', 'Failed exports'), ('IN_DOUBT', 'Exports in doubt'), ('OVERDUE', 'Overdue acknowledgements'), ('ACKS', 'Acknowledgements to check'), ('HELD', 'Deliveries held'), ('ARCHIVE', 'Documents not archived'), ('WEBHOOK', 'Webhook disabled'), ('TOKEN', 'API token expires'), ('STOPPED', 'Component stopped'), ('DISABLED', 'Orders wait for a disabled connection'), ('WAITING', 'Orders not delivered for long'), ('RETRYING', 'Attempts of orders fail'), ('HOOKDOWN', 'Webhook does not deliver'), ('HOOKPART', 'Webhook rejects messages'), ('HOOKLOST', 'Webhook messages failed'), ('JOURNAL', 'Restored backups not noticed'), ('CERT', 'Certificate expires')], max_length=8),
        ),
        migrations.CreateModel(
            name='SeenCertificate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('machine', models.CharField(max_length=255)),
                ('path', models.CharField(max_length=500)),
                ('name', models.CharField(max_length=120)),
                ('setting', models.CharField(max_length=100)),
                ('begins_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('at', models.DateTimeField()),
            ],
        ),
        migrations.AddConstraint(
            model_name='seencertificate',
            constraint=models.UniqueConstraint(fields=('machine', 'path', 'name'), name='seen_certificate_once'),
        ),
        # Whose e-mail was not accepted is not known of the earlier rows; the next e-mail tells.
        migrations.DeleteModel(
            name='MailFailure',
        ),
        migrations.CreateModel(
            name='MailFailure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254)),
                ('failed_at', models.DateTimeField()),
                ('reason', models.CharField(max_length=500)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mail_failures', to='tenancy.organization')),
            ],
        ),
        migrations.AddConstraint(
            model_name='mailfailure',
            constraint=models.UniqueConstraint(fields=('organization', 'email'), name='mail_failure_once'),
        ),
    ]
