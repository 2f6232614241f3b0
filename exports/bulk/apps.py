from django.apps import AppConfig


class BulkConfig(AppConfig):
    name = "exports.bulk"
    # Its models belong to the app `exports`: that is where their tables, migrations and permissions are.
    label = "exports_bulk"
