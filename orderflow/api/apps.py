from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "orderflow.api"
    verbose_name = "API"

    def ready(self) -> None:
        # Models can be imported from here on.
        from orderflow import client_address  # noqa: PLC0415
        from orderflow.api.tokens import admin, password_changes  # noqa: F401, PLC0415

        password_changes.connect()
        client_address.connect()
