import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as database

from connectors import checks
from connectors.exceptions import ConfigError
from exports.webhooks import endpoint_service, sender
from exports.webhooks.endpoint_service import LIMIT
from exports.webhooks.leases import LEASE_S
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from orderflow.keys import fresh_keys
from orderflow.tenancy.models import AuditEntry, Organization
from tests.exports.webhooks.conftest import MakeEndpoint, MakeMessage, let_time_pass, verified
from tests.servers.webhooks import Scripted


def audit() -> list[tuple[str, str]]:
    rows = AuditEntry.objects.filter(subject_type="webhookendpoint").order_by("id")
    return list(rows.values_list("action", "actor"))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://shop.example/", "not encrypted"),
        ("ftp://shop.example/", "is none"),
        ("shop.example/hook", "is none"),
        ("https://", "is none"),
        ("https:///hook", "is none"),
        ("https://shop.example:70000/", "is none"),
        ("https://shop.example:0/", "is none"),
        ("https://[::1/", "is none"),
        ("https://user@shop.example/", "user name or password"),
        ("https://user:canary@shop.example/", "user name or password"),
        ("https://:@shop.example/", "user name or password"),
        ("https://shop.example/a b", "characters"),
        ("https://shop.example/\r\nHost: x", "characters"),
        ("https://shop.example/\0", "characters"),
        ("https://größe.example/", "characters"),
    ],
)
def test_a_url_that_will_not_do_is_refused(make_endpoint: MakeEndpoint, url: str, problem: str) -> None:
    """S7."""
    with pytest.raises(ConfigError, match=problem) as refused:
        make_endpoint(url=url)
    assert refused.value.field == "url"
    assert "canary" not in str(refused.value)
    assert not WebhookEndpoint.objects.exists()


def test_an_organization_has_a_few_webhooks_at_most(make_endpoint: MakeEndpoint) -> None:
    for _ in range(LIMIT):
        make_endpoint()
    with pytest.raises(ConfigError, match="at most 5"):
        make_endpoint()
    make_endpoint(organization=Organization.objects.create(name="Globex", slug="globex"))


def test_a_name_is_given_once(make_endpoint: MakeEndpoint) -> None:
    make_endpoint(name="Shop")
    with pytest.raises(ConfigError, match="named 'Shop' already"):
        make_endpoint(name="Shop")


def test_every_change_has_its_line_in_the_audit(endpoint: WebhookEndpoint, shop: Scripted) -> None:
    endpoint.enabled = False
    endpoint_service.edit(endpoint, ["enabled"], actor="ida")
    endpoint_service.renew_secret(endpoint, actor="ida")
    endpoint_service.test(endpoint, actor="ida")
    assert audit() == [
        ("create webhook", "ina"),
        ("edit webhook", "ida"),
        ("new webhook secret", "ida"),
        ("test webhook", "ida"),
    ]


def test_a_secret_is_found_nowhere_in_clear(endpoint: WebhookEndpoint, shop: Scripted) -> None:
    """S4."""
    secrets = [endpoint.secret(), endpoint_service.renew_secret(endpoint, actor="ina")]
    endpoint_service.test(endpoint, actor="ina")
    with database.cursor() as cursor:
        for table in database.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names from the database
            text = str([[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in cursor.fetchall()])
            assert [secret for secret in secrets if secret in text] == [], table
    assert secrets[0] != secrets[1]
    assert verified(shop.heard[0], endpoint)["type"] == "webhook.test"


def test_a_new_secret_takes_the_place_of_the_old(endpoint: WebhookEndpoint, shop: Scripted) -> None:
    old = endpoint.secret()
    new = endpoint_service.renew_secret(endpoint, actor="ina")
    endpoint.refresh_from_db()
    assert endpoint.secret() == new != old


@pytest.mark.parametrize(("answer", "status"), [(200, "DELIVERED"), (500, "FAILED")])
def test_a_test_is_one_message_with_one_try(
    endpoint: WebhookEndpoint, shop: Scripted, answer: int, status: str
) -> None:
    shop.answers = [answer]
    assert endpoint_service.test(endpoint, actor="ina").status == answer
    message = WebhookMessage.objects.get()
    assert (message.status, message.tries, message.type, message.log.count()) == (status, 1, "webhook.test", 1)
    assert json.loads(message.payload)["data"] == {"webhook": "Shop"}


@pytest.mark.parametrize(("answer", "failures"), [(204, 0), (500, 3)])
def test_a_test_that_passes_ends_a_pause(endpoint: WebhookEndpoint, shop: Scripted, answer: int, failures: int) -> None:
    WebhookEndpoint.objects.update(failures_in_a_row=3)
    shop.answers = [answer]
    endpoint_service.test(endpoint, actor="ina")
    endpoint.refresh_from_db()
    assert endpoint.failures_in_a_row == failures


def test_secrets_come_under_a_new_key_with_the_configs(endpoint: WebhookEndpoint, settings: Any) -> None:
    """S3."""
    secret, old = endpoint.secret(), settings.ENCRYPTION_MASTER_KEY
    settings.ENCRYPTION_MASTER_KEY = fresh_keys()["ENCRYPTION_MASTER_KEY"]
    (message,) = checks.readable_secrets(databases=["default"])
    assert "The secret of webhook acme/Shop is encrypted with key" in message.msg
    settings.ENCRYPTION_PREVIOUS_KEYS = [old]
    call_command("rotate_encryption_key", stdout=StringIO())
    settings.ENCRYPTION_PREVIOUS_KEYS = []
    endpoint.refresh_from_db()
    assert endpoint.secret() == secret
    assert checks.readable_secrets(databases=["default"]) == []


def test_a_secret_of_another_row_does_not_open(make_endpoint: MakeEndpoint) -> None:
    """S2."""
    mine, other = make_endpoint(), make_endpoint()
    WebhookEndpoint.objects.filter(pk=mine.pk).update(secret_encrypted=other.secret_encrypted)
    mine.refresh_from_db()
    with pytest.raises(ConfigError, match=r"belongs to another row\. Make a new secret\."):
        mine.secret()


def test_messages_of_two_organizations_never_mix(
    make_endpoint: MakeEndpoint, make_message: MakeMessage, endpoint: WebhookEndpoint
) -> None:
    """S1."""
    theirs = make_endpoint(organization=Organization.objects.create(name="Globex", slug="globex"), name="Shop")
    make_message(endpoint=theirs)
    assert not endpoint.messages.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("late", [204, 500])
def test_a_test_message_that_a_sender_delivered_meanwhile_is_settled_once(
    late: int, endpoint: WebhookEndpoint, shop: Scripted
) -> None:
    """The process of the test was stopped for longer than the message was its own."""

    def deliver_first(handler: Any) -> None:
        let_time_pass(seconds=LEASE_S + 1)
        sender.send(endpoint.pk)
        database.close()
        handler.say(late, {}, b"")

    shop.answers = [deliver_first, 204]
    assert endpoint_service.test(endpoint, actor="ina").status == late
    message = WebhookMessage.objects.get()
    assert (message.status, message.tries) == ("DELIVERED", 1)
    assert list(message.log.values_list("http_status", flat=True)) == [204]
    assert [heard.headers["webhook-id"] for heard in shop.heard] == [message.webhook_id] * 2
    assert ("test webhook", "ina") not in audit()
