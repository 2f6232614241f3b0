"""A new secret locks no receiver out that has the old one: both sign until a time that people see and can end."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.test import Client
from standardwebhooks import Webhook, WebhookVerificationError

from connectors import checks
from exports import tasks
from exports.webhooks import endpoint_service, sender, signing
from exports.webhooks.client.client import Receiver
from exports.webhooks.models import WebhookEndpoint, WebhookOldSecret
from orderflow.keys import fresh_keys
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.exports.webhooks.conftest import MakeEndpoint, MakeMessage, let_time_pass
from tests.servers.webhooks import Heard, Scripted
from tests.support.tenants import log_in, page_url


def accepts(secret: str, heard: Heard) -> bool:
    """By the library that a receiver takes."""
    try:
        Webhook(secret).verify(heard.body, heard.headers)
    except WebhookVerificationError:
        return False
    return True


@pytest.fixture
def hear(shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage) -> Any:
    """What the receiver hears of one more message."""

    def hear() -> Heard:
        make_message()
        sender.send(endpoint.pk)
        return shop.heard[-1]

    return hear


def renew(endpoint: WebhookEndpoint) -> str:
    return endpoint_service.renew_secret(WebhookEndpoint.objects.get(pk=endpoint.pk), actor="ina")


def test_both_secrets_sign_for_a_day(endpoint: WebhookEndpoint, hear: Any) -> None:
    old = endpoint.secret()
    new = renew(endpoint)
    heard = hear()
    assert heard.headers["webhook-signature"].count("v1,") == 2
    assert accepts(new, heard)
    assert accepts(old, heard)
    let_time_pass(hours=23.9)
    assert accepts(old, hear())
    let_time_pass(hours=0.2)
    heard = hear()
    assert heard.headers["webhook-signature"].count("v1,") == 1
    assert accepts(new, heard)
    assert not accepts(old, heard)


def test_a_receiver_that_gets_the_new_secret_later_misses_nothing(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    """It answers as the library says, with the one secret that it has."""
    known = endpoint.secret()
    shop.answers = [lambda handler: handler.give(204 if accepts(known, handler.heard) else 401)]
    new = renew(endpoint)
    for _ in range(5):
        make_message()
    sender.send(endpoint.pk)
    known = new
    for _ in range(5):
        make_message()
    sender.send(endpoint.pk)
    assert len(shop.heard) == 10
    assert set(endpoint.messages.values_list("status", "tries")) == {("DELIVERED", 1)}


@pytest.mark.parametrize("hours", [0, -1])
def test_the_old_secret_ends_at_once_where_the_operator_says_so(
    endpoint: WebhookEndpoint, hear: Any, settings: Any, hours: float
) -> None:
    first = endpoint.secret()
    second = renew(endpoint)
    settings.WEBHOOK_SECRET_OVERLAP_H = hours
    third = renew(endpoint)
    heard = hear()
    assert [accepts(secret, heard) for secret in (first, second, third)] == [False, False, True]
    assert not WebhookOldSecret.objects.exists()


def test_a_secret_that_was_lost_and_replaced_again_leaves_the_receivers_alone(
    endpoint: WebhookEndpoint, hear: Any
) -> None:
    secrets = [endpoint.secret()] + [renew(endpoint) for _ in range(5)]
    heard = hear()
    assert [accepts(secret, heard) for secret in secrets] == [False, False, True, True, True, True]
    assert endpoint.old_secrets.count() == signing.KEPT


def test_a_test_message_is_signed_with_both(endpoint: WebhookEndpoint, shop: Scripted) -> None:
    old = endpoint.secret()
    new = renew(endpoint)
    endpoint_service.test(WebhookEndpoint.objects.get(), actor="ina")
    assert accepts(old, shop.heard[0])
    assert accepts(new, shop.heard[0])


def test_another_webhook_signs_with_its_own(endpoint: WebhookEndpoint, make_endpoint: MakeEndpoint, hear: Any) -> None:
    other = make_endpoint()
    theirs = other.secret()
    renew(other)
    assert not accepts(theirs, hear())
    endpoint_service.end_old_secrets(endpoint, actor="ina")
    assert other.old_secrets.count() == 1


def test_people_see_until_when_and_end_it(endpoint: WebhookEndpoint, hear: Any, organization: Organization) -> None:
    client: Client = log_in(organization, Role.INTEGRATOR)
    button = page_url(endpoint, "do", "end_old_secrets")
    old = endpoint.secret()
    assert button not in client.get(page_url(endpoint)).content.decode()
    made = client.post(page_url(endpoint, "do", "new_secret")).content.decode()
    assert "The old secret signs beside it until" in made
    page = client.get(page_url(endpoint)).content.decode()
    assert "The old secret signs beside the new one until" in page
    assert "whsec_" not in page
    assert button in page
    assert accepts(old, hear())
    assert "only the current secret signs from now on" in client.post(button, follow=True).content.decode()
    assert button not in client.get(page_url(endpoint)).content.decode()
    assert not accepts(old, hear())
    assert not WebhookOldSecret.objects.exists()
    assert AuditEntry.objects.filter(action="end old webhook secrets").count() == 1
    assert "no old secret signs" in client.post(button, follow=True).content.decode()
    assert AuditEntry.objects.filter(action="end old webhook secrets").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_sender_under_way_stops_signing_with_a_secret_that_was_ended(
    endpoint: WebhookEndpoint, shop: Scripted, make_message: MakeMessage
) -> None:
    renew(endpoint)
    for _ in range(3):
        make_message()

    def end(handler: Any) -> None:
        endpoint_service.end_old_secrets(endpoint, actor="ina")
        database.close()
        handler.give(204)

    shop.answers = [end, 204]
    sender.send(endpoint.pk)
    assert len(shop.heard) == 1
    assert set(endpoint.messages.values_list("status", flat=True)) == {"PENDING"}


def test_old_secrets_are_encrypted_and_come_under_a_new_key(endpoint: WebhookEndpoint, settings: Any) -> None:
    """S3, S4."""
    old, key = endpoint.secret(), settings.ENCRYPTION_MASTER_KEY
    new = renew(endpoint)
    row = WebhookOldSecret.objects.get()
    assert old.encode() not in bytes(row.secret_encrypted)
    settings.ENCRYPTION_MASTER_KEY = fresh_keys()["ENCRYPTION_MASTER_KEY"]
    found = [message.msg for message in checks.readable_secrets(databases=["default"])]
    assert any("The old secret of webhook acme/Shop is encrypted with key" in text for text in found)
    settings.ENCRYPTION_PREVIOUS_KEYS = [key]
    call_command("rotate_encryption_key", stdout=StringIO())
    settings.ENCRYPTION_PREVIOUS_KEYS = []
    assert signing.secrets_of(WebhookEndpoint.objects.get()) == [new, old]
    assert checks.readable_secrets(databases=["default"]) == []


def test_an_old_secret_that_cannot_be_read_keeps_no_message_back(
    endpoint: WebhookEndpoint, hear: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """S2."""
    new = renew(endpoint)
    WebhookOldSecret.objects.update(secret_encrypted=b"\x01" + b"?" * 60)
    assert accepts(new, hear())
    assert "The old secret of webhook 'Shop' cannot be decrypted" in caplog.text


def test_a_secret_that_cannot_be_read_can_be_replaced(endpoint: WebhookEndpoint, hear: Any) -> None:
    """S2."""
    WebhookEndpoint.objects.update(secret_encrypted=b"\x01" + b"?" * 60)
    new = renew(endpoint)
    assert accepts(new, hear())
    assert not WebhookOldSecret.objects.exists()


def test_secrets_that_have_ended_are_forgotten(endpoint: WebhookEndpoint) -> None:
    renew(endpoint)
    tasks.webhooks_due()
    assert WebhookOldSecret.objects.count() == 1
    let_time_pass(hours=24.1)
    tasks.webhooks_due()
    assert not WebhookOldSecret.objects.exists()


def test_each_signature_is_a_word_of_its_own(shop: Scripted) -> None:
    """One space between them, as Standard Webhooks has it; the new one first."""
    secrets = ["whsec_" + letter * 44 for letter in "AB"]
    with Receiver(url=shop.url, secrets=secrets) as to:
        to.post("msg_1", "{}")
    first, second = shop.heard[0].headers["webhook-signature"].split(" ")
    heard = shop.heard[0]
    for secret, signature in zip(secrets, (first, second), strict=True):
        assert accepts(secret, Heard(**{**vars(heard), "headers": {**heard.headers, "webhook-signature": signature}}))
