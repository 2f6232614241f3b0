from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = "Exports"

    def ready(self) -> None:
        # Models can be imported from here on.
        from django.contrib.admin import site  # noqa: PLC0415

        from connectors.admin.connections import ERPConnectionAdmin  # noqa: PLC0415
        from connectors.connections.ack_places import counting, moved  # noqa: PLC0415
        from connectors.connections.health import freed  # noqa: PLC0415
        from exports import checks  # noqa: F401, PLC0415
        from exports.admin import ack_files, exports  # noqa: F401, PLC0415
        from exports.admin.connections import ConnectionExports  # noqa: PLC0415
        from exports.admin.orders import OrderExports  # noqa: PLC0415
        from exports.admin.push import jobs  # noqa: F401, PLC0415
        from exports.admin.webhooks import endpoints, messages  # noqa: F401, PLC0415
        from exports.decisions import stranded_acks  # noqa: PLC0415
        from exports.delivery.reschedule import put_forward  # noqa: PLC0415
        from orderflow.orders.admin import DraftOrderAdmin  # noqa: PLC0415

        freed.connect(put_forward)
        counting.connect(stranded_acks.count)
        moved.connect(stranded_acks.note)
        DraftOrderAdmin.extensions.append(OrderExports)
        ERPConnectionAdmin.extensions.append(ConnectionExports)
        site.index_template = "exports/dashboard.html"
