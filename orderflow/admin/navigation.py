"""The admin's appearance, and its sidebar: what the daily work needs comes first."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy

MAY_EDIT_MEMBERS = "orderflow.admin.scoped.may_edit_members"
MAY_READ = "orderflow.admin.scoped.may_read"


def _item(title: str, icon: str, model: str, *, permission: str = MAY_READ) -> dict[str, Any]:
    """Shown only to people who may open it."""
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist"), "permission": permission}


NAVIGATION: list[dict[str, Any]] = [
    {"items": [{"title": "Dashboard", "icon": "dashboard", "link": reverse_lazy("admin:index")}]},
    {
        "title": "Orders",
        "items": [
            _item("Orders", "receipt_long", "orders_draftorder"),
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
            _item("Incidents", "report", "notices_incident"),
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
            {"title": "API documentation", "icon": "api", "link": reverse_lazy("docs"), "permission": MAY_READ},
        ],
    },
]

UNFOLD = {
    "SITE_TITLE": "OrderFlow",
    "SITE_HEADER": "OrderFlow",
    "SITE_SYMBOL": "local_shipping",
    "LOGIN": {"form": "orderflow.login.admin_login.LimitedLoginForm"},
    "DASHBOARD_CALLBACK": "exports.dashboard.page.context",
    # There is no other site to go back to.
    "SITE_URL": None,
    "SIDEBAR": {"navigation": NAVIGATION},
    "COMMAND": {"search_callback": "exports.admin.command_palette.found"},
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("tenancy/icon.svg")},
    ],
    "STYLES": [lambda _request: static("tenancy/admin.css")],
    "SCRIPTS": [lambda _request: static("tenancy/dates.js")],
}
