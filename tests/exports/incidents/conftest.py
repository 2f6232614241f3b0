from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import environ
import pytest
from django.utils import timezone

from exports.incidents.models import Incident, Recipient
from exports.models import ERPExport
from exports.models.failure_cause import Cause
from exports.models.status import ExportStatus
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from tests.exports.conftest import Push
from tests.servers.smtp import Mailbox, smtp_server


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """The server that notices are sent to, as EMAIL_URL would name it."""
    with smtp_server() as box:
        settings.EMAIL_URL = box.url
        for name, value in environ.Env.email_url_config(box.url).items():
            setattr(settings, name, value)
        yield box


@pytest.fixture
def recipient(organization: Organization) -> Recipient:
    return Recipient.objects.create(organization=organization, email="night@acme.example")


def make_overdue(export: ERPExport) -> None:
    ERPExport.objects.filter(pk=export.pk).update(answer_due_at=timezone.now() - timedelta(minutes=1))


def fail(push: Push, *, ago: timedelta = timedelta(), **fields: Any) -> ERPExport:
    """An export that the ERP rejected, with its order in ERROR."""
    export = push()
    values = {"cause": Cause.ERP_REFUSED, "settled_at": timezone.now() - ago} | fields
    ERPExport.objects.filter(pk=export.pk).move(ExportStatus.PENDING, ExportStatus.FAILED, **values)
    DraftOrder.objects.filter(pk=export.draft_order_id).move(OrderStatus.PUSHING, OrderStatus.ERROR)
    export.refresh_from_db()
    return export


def digest_time() -> None:
    """As after the time that has to pass between two e-mails about an open incident."""
    past = timezone.now() - timedelta(hours=1)
    Incident.objects.filter(notified_at__isnull=False).update(notified_at=past, digest_at=past)


def later() -> None:
    """The time after which a mail that nobody finished is tried again has passed."""
    Incident.objects.update(tried_at=timezone.now() - timedelta(hours=1))
