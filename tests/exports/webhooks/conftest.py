from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from standardwebhooks import Webhook

from exports.webhooks import attempts, endpoint_service, leases
from exports.webhooks.client.client import Answer
from exports.webhooks.models import WebhookEndpoint, WebhookMessage, WebhookOldSecret
from orderflow.tenancy.models import Organization
from tests.servers.webhooks import Authority, Heard, Scripted, receiver

MakeEndpoint = Callable[..., WebhookEndpoint]
MakeMessage = Callable[..., WebhookMessage]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def loopback_allowed(settings: Any, authority: Authority) -> None:
    """Receivers are on this machine, and known to the authority of the tests."""
    settings.WEBHOOK_PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    settings.WEBHOOK_CA_FILE = str(authority.file)


@pytest.fixture
def start_receiver(authority: Authority) -> Iterator[Callable[[], Scripted]]:
    context = authority.server_context("localhost", "127.0.0.1")
    with ExitStack() as running:
        yield lambda: running.enter_context(receiver(context))


@pytest.fixture
def shop(start_receiver: Callable[[], Scripted]) -> Scripted:
    return start_receiver()


@pytest.fixture
def make_endpoint(organization: Organization, shop: Scripted) -> MakeEndpoint:
    def make(**fields: Any) -> WebhookEndpoint:
        number = WebhookEndpoint.objects.count()
        values = {"organization": organization, "name": f"Shop {number}", "url": shop.url} | fields
        return endpoint_service.create(WebhookEndpoint(**values), actor="ina")

    return make


@pytest.fixture
def endpoint(make_endpoint: MakeEndpoint) -> WebhookEndpoint:
    return make_endpoint(name="Shop")


@pytest.fixture
def make_message(endpoint: WebhookEndpoint) -> MakeMessage:
    count = 0

    def make(**fields: Any) -> WebhookMessage:
        nonlocal count
        count += 1
        text = f'{{"type":"export.sent","number":{count}}}'
        values: dict[str, Any] = {"endpoint": endpoint, "type": "export.sent", "payload": text} | fields
        owner = values["endpoint"].organization
        return WebhookMessage.objects.create(organization=owner, created_at=timezone.now(), **values)

    return make


def verified(heard: Heard, endpoint: WebhookEndpoint) -> Any:
    """The body, by the library that a receiver takes."""
    return Webhook(endpoint.secret()).verify(heard.body, heard.headers)


def let_time_pass(**by: float) -> None:
    """For what was planned: as if it had been planned so much earlier."""
    earlier = timedelta(**by)
    for endpoint in WebhookEndpoint.objects.all():
        for name in ("paused_until", "leased_until", "failing_since", "awake_since"):
            if at := getattr(endpoint, name):
                WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**{name: at - earlier})
    for message in WebhookMessage.objects.all():
        for name in ("next_attempt_at", "failed_at", "postponed_since"):
            if at := getattr(message, name):
                WebhookMessage.objects.filter(pk=message.pk).update(**{name: at - earlier})
    WebhookOldSecret.objects.update(signs_until=F("signs_until") - earlier)


def numbers(shop: Scripted, endpoint: WebhookEndpoint) -> list[int]:
    return [verified(heard, endpoint)["number"] for heard in shop.heard]


def fail(endpoint: WebhookEndpoint, message: WebhookMessage, answer: Answer | None = None) -> None:
    """One more failed try of it, without a receiver."""
    lease = leases.take(endpoint.pk)
    assert lease is not None
    attempts.enter(lease, WebhookMessage.objects.get(pk=message.pk), answer or Answer(status=500))
    leases.give_back(lease)
