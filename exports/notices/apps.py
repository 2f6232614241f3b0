from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "exports.notices"
    verbose_name = "Notices"

    def ready(self) -> None:
        from exports.notices import bystanders  # noqa: PLC0415 - settings can be read from here on

        bystanders.connect()
