from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "exports.notices"
    verbose_name = "Notices"
