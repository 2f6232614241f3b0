from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "exports.incidents"
    label = "notices"
    verbose_name = "Notices"

    def ready(self) -> None:
        from exports.incidents import standby  # noqa: PLC0415 - settings can be read from here on
        from exports.incidents.admin import organizations  # noqa: F401, PLC0415

        standby.connect()
