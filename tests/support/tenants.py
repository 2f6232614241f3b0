"""Tenants with one row for every page of the admin, and people who look at them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import push_service
from exports.bulk.models import BulkJob
from exports.incidents.models import Incident
from exports.models import AckFile, ERPExport, Verdict
from exports.push_service import PushRequest
from exports.webhooks import endpoint_service
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from orderflow.admin.optimistic_locking.forms import SeenAdmin
from orderflow.admin.optimistic_locking.row_version import SEEN, row_field
from orderflow.api.models import ApiToken
from orderflow.api.tokens import service as token_service
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import AuditEntry, Membership, Organization
from orderflow.tenancy.roles import Role

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """Every text in its rows has its name in it."""

    organization: Organization
    connection: ERPConnection
    order: DraftOrder
    export: ERPExport
    ack: AckFile
    job: BulkJob
    webhook: WebhookEndpoint
    message: WebhookMessage
    incident: Incident
    member: User
    token: ApiToken

    @property
    def rows(self) -> dict[type[Model], Model]:
        """The tenant's row by the model of its page."""
        assert self.order.customer is not None
        audit = AuditEntry.objects.filter(organization=self.organization).latest("id")
        found = (
            self.organization, self.member, self.token, self.order.customer, self.order, self.connection, self.export,
            self.ack, self.job, self.webhook, self.message, self.incident, audit,
        )  # fmt: skip
        return {type(row): row for row in found}


def make_tenant(name: str) -> Tenant:
    organization = Organization.objects.create(name=name.title(), slug=name)
    connection = connection_service.save(
        ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1"),
        ConnectionChanges(name=f"{name} folder", is_default=True, config={"mode": "filesystem", "export_path": "in"}),
        actor=f"admin@{name}",
    )
    order = make_order(organization, f"{name}-1", OrderStatus.APPROVED)
    export = push_service.push(PushRequest(order=order, actor=f"ops@{name}"))
    order.refresh_from_db()
    ack = AckFile.objects.create(
        organization=organization, connection=connection, export=export, name=f"ack_{name}.json", size=2,
        modified_at=0, raw="{}", verdict=Verdict.MATCHED, seen_at=NOW,
    )  # fmt: skip
    job = BulkJob.objects.create(
        organization=organization, kind=BulkJob.Kind.PUSH, asked_by=f"ops@{name}", asked_at=NOW, total=1
    )
    member = make_user(organization, Role.VIEWER, f"member@{name}")
    token, _ = token_service.make(member, f"{name} shop", actor=f"admin@{name}")
    webhook = endpoint_service.create(
        WebhookEndpoint(organization=organization, name=f"{name} webhook", url=f"https://127.0.0.1/{name}"),
        actor=f"admin@{name}",
    )
    message = WebhookMessage.objects.create(
        organization=organization, endpoint=webhook, export=export, type="export.sent", payload=f'"{name}"',
        status="FAILED", created_at=NOW,
    )  # fmt: skip
    incident = Incident.objects.create(
        organization=organization, connection=connection, kind=Incident.Kind.ACKS, subject=str(connection.pk),
        reason=f"{name} wrote what nobody can read.", opened_at=NOW, notified_at=NOW,
    )  # fmt: skip
    return Tenant(
        organization=organization,
        connection=connection,
        order=order,
        export=export,
        ack=ack,
        job=job,
        member=member,
        token=token,
        webhook=webhook,
        message=message,
        incident=incident,
    )


def make_order(organization: Organization, number: str, status: str) -> DraftOrder:
    customer, _ = Customer.objects.get_or_create(
        organization=organization, erp_customer_number="C1", defaults={"name": f"Customer of {organization.slug}"}
    )
    order = DraftOrder.objects.create(
        organization=organization, customer=customer, external_order_number=number, currency="EUR", status=status
    )
    DraftOrderLine.objects.create(order=order, line_no=1, internal_sku="42", qty=Decimal(10), uom="ST")
    return order


def make_user(organization: Organization | None, role: Role, name: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    if organization:
        Membership.objects.create(user=user, organization=organization, role=role)
    return user


class AdminClient(Client):
    """Posts to the admin what a page that was loaded just now would: with the version of each row that it names. A test
    of stale pages sends the version itself."""

    def post(self, path: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        if data is None or isinstance(data, dict):
            data = {**versions(path, data or {}), **(data or {})}
        return super().post(path, data, *args, **kwargs)


def versions(path: str, data: dict[str, Any]) -> dict[str, str]:
    """Of each row that a request to this path with this data names, as a page that is loaded now has it."""
    try:
        found = resolve(urlsplit(path).path)
    except Resolver404:
        return {}
    for model in admin.site._registry:
        if (found.url_name or "").startswith(f"{model._meta.app_label}_{model._meta.model_name}_"):
            break
        if found.url_name == "accept_host_key" and model is ERPConnection:
            break
    else:
        return {}
    page = admin.site._registry[model]
    assert isinstance(page, SeenAdmin)
    key = found.kwargs.get("object_id") or found.kwargs.get("id")
    if key:
        return {SEEN: str(page.seen_now(unquote(key)) or "")}
    chosen = data.get("_selected_action", [])
    keys = chosen if isinstance(chosen, list) else [chosen]
    rows = page.model._default_manager.filter(pk__in=keys)
    return {row_field(row.pk): str(page.seen_in_list(row)) for row in rows}


def log_in(organization: Organization | None, role: Role = Role.ADMIN, *, enforce_csrf: bool = False) -> Client:
    client = AdminClient(enforce_csrf_checks=enforce_csrf)
    name = f"{role.lower()}@{organization.slug if organization else 'nowhere'}"
    client.force_login(User.objects.filter(username=name).first() or make_user(organization, role, name))
    return client


def log_in_superuser() -> Client:
    client = AdminClient()
    client.force_login(User.objects.filter(username="root").first() or User.objects.create_superuser("root"))
    return client


def list_url(model: type[Model], view: str = "changelist") -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}")


def page_url(row: Model, view: str = "change", *more: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{view}", args=[row.pk, *more])
