from django.apps import AppConfig


class HeartbeatsConfig(AppConfig):
    name = "orderflow.heartbeats"
    verbose_name = "Heartbeats"

    def ready(self) -> None:
        from orderflow.heartbeats import redis_servers, signals  # noqa: F401, PLC0415 - models can be imported from here on

        signals.connect()
