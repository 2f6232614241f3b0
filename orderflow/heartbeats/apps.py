from django.apps import AppConfig


class HeartbeatsConfig(AppConfig):
    name = "orderflow.heartbeats"
    verbose_name = "Heartbeats"
