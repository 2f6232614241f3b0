from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "orderflow.api"
    verbose_name = "API"

    def ready(self) -> None:
        from orderflow.api import password_changes  # noqa: PLC0415 - models can be imported from here on

        password_changes.connect()
