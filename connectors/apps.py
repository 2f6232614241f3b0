from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"
    verbose_name = "ERP connections"

    def ready(self) -> None:
        from connectors import checks  # noqa: F401, PLC0415 - models can be imported from here on
