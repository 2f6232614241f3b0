from typing import Any

from celery.signals import worker_process_shutdown
from django.apps import AppConfig

from connectors.sftp.pool import sessions


class ConnectorsConfig(AppConfig):
    name = "connectors"
    verbose_name = "ERP connections"

    def ready(self) -> None:
        from connectors import checks  # noqa: F401, PLC0415 - models can be imported from here on
        from connectors.admin import connections  # noqa: F401, PLC0415

        # A worker's child process ends without what Python does at its exit.
        worker_process_shutdown.connect(_close_sessions)


def _close_sessions(**_: Any) -> None:
    sessions.close_all()
