from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = "Exports"

    def ready(self) -> None:
        # Models can be imported from here on.
        from django.contrib.admin import site  # noqa: PLC0415

        from connectors.ack_places import counting, moved  # noqa: PLC0415
        from connectors.health import freed  # noqa: PLC0415
        from exports import ack_admin, acks_left, checks  # noqa: F401, PLC0415
        from exports.bulk import job_admin  # noqa: F401, PLC0415
        from exports.releases import put_forward  # noqa: PLC0415
        from exports.webhooks import admin, message_admin  # noqa: F401, PLC0415

        freed.connect(put_forward)
        counting.connect(acks_left.count)
        moved.connect(acks_left.note)
        site.index_template = "exports/dashboard.html"
