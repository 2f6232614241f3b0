from django.apps import AppConfig


class HeartbeatsConfig(AppConfig):
    name = "orderflow.heartbeats"
    verbose_name = "Heartbeats"

    def ready(self) -> None:
        from orderflow.heartbeats import signals  # noqa: PLC0415 - models can be imported from here on

        signals.connect()
