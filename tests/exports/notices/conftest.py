from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import environ
import pytest
from django.utils import timezone

from exports.models import ERPExport
from exports.notices.models import Incident, Recipient
from orderflow.tenancy.models import Organization
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


def later() -> None:
    """The time after which a mail that nobody finished is tried again has passed."""
    Incident.objects.update(tried_at=timezone.now() - timedelta(hours=1))
