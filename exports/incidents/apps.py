from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "exports.incidents"
    label = "notices"
    verbose_name = "Notices"

    def ready(self) -> None:
        # Models can be imported, and settings read, from here on.
        from exports.incidents import standby  # noqa: PLC0415
        from exports.incidents.admin import incidents  # noqa: F401, PLC0415
        from exports.incidents.admin.organizations import OrganizationRecipients  # noqa: PLC0415
        from orderflow.tenancy.admin import OrganizationAdmin  # noqa: PLC0415

        OrganizationAdmin.extensions.append(OrganizationRecipients)
        standby.connect()
