from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "exports.webhooks"
    # Its models belong to the app `exports`: that is where their tables, migrations and permissions are.
    label = "exports_webhooks"
