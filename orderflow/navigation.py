"""The admin's sidebar: what the daily work needs comes first."""

from typing import Any

from django.urls import reverse_lazy

MAY_EDIT_MEMBERS = "orderflow.tenancy.scoped_admin.may_edit_members"
MAY_READ = "orderflow.tenancy.scoped_admin.may_read"


def _item(title: str, icon: str, model: str, *, permission: str = MAY_READ) -> dict[str, Any]:
    """Shown only to people who may open it."""
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist"), "permission": permission}


NAVIGATION: list[dict[str, Any]] = [
    {"items": [{"title": "Dashboard", "icon": "dashboard", "link": reverse_lazy("admin:index")}]},
    {
        "title": "Orders",
        "items": [
            _item("Draft orders", "receipt_long", "orders_draftorder"),
            _item("Customers", "storefront", "orders_customer"),
        ],
    },
    {
        "title": "ERP",
        "items": [
            _item("Exports", "outbox", "exports_erpexport"),
            _item("Acknowledgement files", "inbox", "exports_ackfile"),
            _item("Bulk jobs", "stacks", "exports_bulkjob"),
            _item("Connections", "cable", "connectors_erpconnection"),
        ],
    },
    {
        "title": "Notices",
        "items": [
            _item("Webhooks", "webhook", "exports_webhookendpoint"),
            _item("Webhook messages", "send", "exports_webhookmessage"),
        ],
    },
    {
        "title": "Organization",
        "items": [
            _item("Organizations", "apartment", "tenancy_organization"),
            _item("Users", "group", "auth_user", permission=MAY_EDIT_MEMBERS),
            _item("API tokens", "key", "api_apitoken", permission=MAY_EDIT_MEMBERS),
            _item("Audit entries", "history", "tenancy_auditentry"),
        ],
    },
]
