"""A webhook that does not deliver is an incident long before OrderFlow disables it, and so is each lost message."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from exports.incidents import detector, items, messages
from exports.incidents.detectors import webhooks
from exports.incidents.models import Incident
from exports.webhooks import endpoint_service, sender
from exports.webhooks.models import MessageStatus, Notice, WebhookEndpoint, WebhookMessage, WebhookTry
from exports.webhooks.retry_policy import WAITS
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.webhooks.conftest import MakeMessage, fail, let_time_pass
from tests.servers.webhooks import Scripted, judge
from tests.support.tenants import log_in, page_url

Kind = Incident.Kind
HALF_AN_HOUR = webhooks.REFUSED_FOR + timedelta(minutes=1)


def open_ones() -> list[tuple[str, str]]:
    detector.compare()
    return list(Incident.objects.filter(closed_at=None).order_by("kind").values_list("kind", "label"))


def opening() -> str:
    incident = Incident.objects.get(closed_at=None)
    return messages.opening(incident, items.untold(incident)).body


def earlier(by: timedelta) -> None:
    """As if all that has happened so far had happened so much earlier."""
    let_time_pass(seconds=by.total_seconds())
    WebhookMessage.objects.update(created_at=F("created_at") - by)
    # The log itself allows no changes.
    QuerySet(WebhookTry).update(at=F("at") - by)
    resent = WebhookMessage.objects.filter(resent_at__isnull=False)
    resent.update(resent_at=F("resent_at") - by)


def lose(endpoint: WebhookEndpoint, message: WebhookMessage) -> None:
    """Its last attempt fails too."""
    WebhookMessage.objects.filter(pk=message.pk).update(tries=len(WAITS))
    fail(endpoint, message)
    message.refresh_from_db()
    assert message.status == MessageStatus.FAILED


def test_a_receiver_that_is_restarted_is_no_incident_and_one_that_stays_away_is(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, organization: Organization
) -> None:
    make_message()
    shop.answers = [(503, {}, b"maintenance"), 204]
    sender.send(endpoint.pk)
    earlier(timedelta(seconds=20))
    assert open_ones() == []
    sender.send(endpoint.pk)
    assert WebhookMessage.objects.get().status == MessageStatus.DELIVERED
    make_message()
    shop.answers = [(503, {}, b"maintenance")]
    sender.send(endpoint.pk)
    earlier(HALF_AN_HOUR)
    sender.send(endpoint.pk)
    assert open_ones() == [(Kind.HOOKDOWN, "Shop")]
    text = opening()
    assert "HTTP status 503 and said: maintenance" in text
    assert "send a test message from the webhook's page" in text
    assert page_url(endpoint) in text
    dashboard = log_in(organization, Role.OPS).get("/admin/").content.decode()
    assert "Webhook does not deliver:" in dashboard
    assert "said: maintenance" in dashboard
    assert "send a test message" in dashboard
    shop.answers = [204]
    endpoint_service.test(endpoint, actor="ina")
    assert open_ones() == [(Kind.HOOKDOWN, "Shop")]
    sender.send(endpoint.pk)
    assert open_ones() == []


def test_one_message_that_is_rejected_while_others_are_accepted_is_reported(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    """Each success ends the count of failures of the webhook."""
    bad = make_message(payload='{"number":"bad"}')
    shop.answers = [judge(lambda heard: 422 if b"bad" in heard.body else 204)]
    sender.send(endpoint.pk)
    make_message()
    sender.send(endpoint.pk)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None
    assert open_ones() == []
    earlier(HALF_AN_HOUR)
    sender.send(endpoint.pk)
    make_message()
    sender.send(endpoint.pk)
    assert open_ones() == [(Kind.HOOKPART, "Shop")]
    assert "The receiver accepts other messages and rejects this one: " in opening()
    assert "422" in opening()
    lose(endpoint, bad)
    assert open_ones() == [(Kind.HOOKLOST, "Shop")]


def test_a_receiver_that_asks_to_wait_for_long_is_reported(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    make_message()
    shop.answers = [(429, {"Retry-After": "3600"}, b"")]
    sender.send(endpoint.pk)
    assert open_ones() == []
    earlier(HALF_AN_HOUR)
    assert open_ones() == [(Kind.HOOKDOWN, "Shop")]
    assert "429" in opening()


def test_a_secret_that_cannot_be_decrypted_is_reported_at_once(
    endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    WebhookEndpoint.objects.update(secret_encrypted=b"nonsense")
    assert open_ones() == []
    make_message()
    sender.send(endpoint.pk)
    assert open_ones() == [(Kind.HOOKDOWN, "Shop")]
    assert "cannot be decrypted" in opening()
    endpoint.refresh_from_db()
    endpoint_service.renew_secret(endpoint, actor="ina")
    sender.send(endpoint.pk)
    assert open_ones() == []


def test_what_waited_for_a_webhook_that_was_disabled_is_not_reported_when_it_is_enabled(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    message = make_message()
    fail(endpoint, message)
    endpoint.enabled = False
    endpoint_service.edit(endpoint, ["enabled"], actor="ina")
    earlier(timedelta(days=2))
    assert open_ones() == []
    endpoint.enabled = True
    endpoint_service.edit(endpoint, ["enabled"], actor="ina")
    assert open_ones() == []
    shop.answers = [500]
    sender.send(endpoint.pk)
    assert open_ones() == [(Kind.HOOKDOWN, "Shop")]


def test_a_message_that_failed_for_good_is_reported_until_it_is_delivered(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, organization: Organization
) -> None:
    message = make_message()
    lose(endpoint, message)
    assert open_ones() == [(Kind.HOOKLOST, "Shop")]
    text = opening()
    assert f"- Sent ({message.webhook_id}): The receiver answered with HTTP status 500." in text
    assert "webhook messages failed: 1" in text
    (url,) = [line for line in text.splitlines() if line.startswith("http")]
    listed = log_in(organization, Role.ADMIN).get(url.removeprefix(settings.PUBLIC_URL)).content.decode()
    assert page_url(message) in listed
    endpoint_service.send_again(message, actor="ina")
    sender.send(endpoint.pk)
    message.refresh_from_db()
    assert message.status == MessageStatus.DELIVERED
    assert open_ones() == []


def test_a_person_may_resolve_lost_messages_and_hears_of_the_next_one_alone(
    endpoint: WebhookEndpoint, make_message: MakeMessage, organization: Organization
) -> None:
    first = make_message()
    lose(endpoint, first)
    assert open_ones() == [(Kind.HOOKLOST, "Shop")]
    log_in(organization, Role.OPS).post(page_url(Incident.objects.get(), "do", "resolve"))
    assert open_ones() == []
    Incident.objects.update(closed_at=timezone.now() - timedelta(seconds=1))
    WebhookMessage.objects.update(settled_at=timezone.now() - timedelta(seconds=2))
    assert open_ones() == []
    second = make_message()
    lose(endpoint, second)
    assert open_ones() == [(Kind.HOOKLOST, "Shop")]
    assert second.webhook_id in opening()
    assert first.webhook_id not in opening()


def test_a_test_message_is_seen_by_the_person_who_sent_it(shop: Scripted, endpoint: WebhookEndpoint) -> None:
    shop.answers = [500]
    endpoint_service.test(endpoint, actor="ina")
    assert WebhookMessage.objects.get(type=Notice.TEST).status == MessageStatus.FAILED
    earlier(HALF_AN_HOUR)
    assert open_ones() == []


def test_what_a_person_resolved_is_not_read_again(
    endpoint: WebhookEndpoint, make_message: MakeMessage, organization: Organization
) -> None:
    lose(endpoint, make_message())
    assert [each.subject for each, _ in webhooks.lost()] == [str(endpoint.pk)]
    Incident.objects.create(
        organization=organization, kind=Kind.HOOKLOST, subject=str(endpoint.pk), opened_at=timezone.now(),
        closed_at=timezone.now() + timedelta(seconds=1), resolved_by="ina",
    )  # fmt: skip
    assert list(webhooks.lost()) == []


def test_attempts_are_looked_up_for_the_oldest_messages_alone(
    shop: Scripted, endpoint: WebhookEndpoint, make_message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "LOOKED_AT", 1)
    listed = [make_message() for _ in range(2)]
    for message in reversed(listed):
        fail(endpoint, message)
    assert webhooks._refused(endpoint).pk == listed[0].pk
