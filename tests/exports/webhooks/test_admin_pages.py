from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from exports.webhooks import sender
from exports.webhooks.models import WebhookEndpoint, WebhookMessage, WebhookTry
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.webhooks.conftest import MakeEndpoint, MakeMessage, verified
from tests.servers.webhooks import Scripted
from tests.support.tenants import list_url, log_in, page_url

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.INTEGRATOR)


def fields(url: str, **more: str) -> dict[str, str]:
    return {"name": "Shop", "url": url, "enabled": "on", "wants_failed": "on", **more}


def read(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_a_new_webhook_shows_its_secret_once(client: Client, shop: Scripted, organization: Organization) -> None:
    """S4."""
    response = client.post(list_url(WebhookEndpoint, "add"), fields(shop.url))
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.organization, endpoint.wanted) == (organization, {"export.failed"})
    assert response.status_code == 200
    assert endpoint.secret() in unescape(response.content.decode())
    assert "no-store" in response["Cache-Control"]
    assert endpoint.secret() not in str(client.session.items()) + str(response.cookies)
    for url in (page_url(endpoint), list_url(WebhookEndpoint), page_url(endpoint, "history")):
        assert endpoint.secret() not in read(client, url)


def test_a_new_secret_is_shown_once(client: Client, endpoint: WebhookEndpoint) -> None:
    """S4."""
    old = endpoint.secret()
    response = client.post(page_url(endpoint, "do", "new_secret"))
    endpoint.refresh_from_db()
    assert endpoint.secret() in unescape(response.content.decode())
    assert endpoint.secret() != old
    assert "whsec_" not in read(client, page_url(endpoint))


@pytest.mark.parametrize("url", ["http://shop.example/", "https://u:p@shop.example/", "https://shop .example/"])
def test_a_url_that_will_not_do_is_refused_at_its_field(client: Client, url: str) -> None:
    """S7."""
    response = client.post(list_url(WebhookEndpoint, "add"), fields(url))
    assert response.status_code == 200
    assert "The URL" in response.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_the_sixth_webhook_is_refused_in_words(client: Client, shop: Scripted, make_endpoint: MakeEndpoint) -> None:
    for _ in range(5):
        make_endpoint()
    page = client.post(list_url(WebhookEndpoint, "add"), fields(shop.url)).content.decode()
    assert "at most 5 webhooks" in page
    assert WebhookEndpoint.objects.count() == 5


def test_an_edit_enables_what_was_disabled(client: Client, endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.update(enabled=False, disabled_reason="Gone.", failures_in_a_row=4)
    assert "Disabled. Gone." in read(client, page_url(endpoint))
    client.post(page_url(endpoint), fields(endpoint.url))
    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.disabled_reason, endpoint.failures_in_a_row) == (True, "", 0)
    assert endpoint.wanted == {"export.failed"}


def test_the_test_button_sends_and_says_what_came_of_it(
    client: Client, endpoint: WebhookEndpoint, shop: Scripted
) -> None:
    shop.answers = [204, (418, {}, HOSTILE.encode())]
    button = page_url(endpoint, "do", "test")
    assert button in read(client, page_url(endpoint))
    assert "accepted with HTTP 204" in client.post(button, follow=True).content.decode()
    assert verified(shop.heard[0], endpoint)["type"] == "webhook.test"
    page = client.post(button, follow=True).content.decode()
    assert "HTTP status 418" in page
    assert HOSTILE not in page


def test_a_message_shows_its_tries_escaped(client: Client, make_message: MakeMessage) -> None:
    """S16."""
    message = make_message(payload=HOSTILE)
    for status in (500, None):
        WebhookTry.objects.create(
            message=message, at=timezone.now(), duration_ms=31, http_status=status, error=HOSTILE, answer=HOSTILE
        )
    raw = client.get(page_url(message)).content.decode()
    assert HOSTILE not in raw
    for text in ("HTTP 500", "31 ms", message.webhook_id, HOSTILE):
        assert text in unescape(raw)
    assert HOSTILE not in client.get(list_url(WebhookMessage)).content.decode()


def test_messages_are_filtered_by_state_and_type(client: Client, make_message: MakeMessage) -> None:
    failed, sent = make_message(status="FAILED", type="export.acked"), make_message(status="DELIVERED")
    for query in ({"status__exact": "FAILED"}, {"type__exact": "export.acked"}):
        page = client.get(list_url(WebhookMessage), query).content.decode()
        assert page_url(failed) in page
        assert page_url(sent) not in page


def test_a_settled_message_is_sent_again(client: Client, make_message: MakeMessage) -> None:
    failed, sent, waiting = make_message(status="FAILED", tries=10), make_message(status="DELIVERED"), make_message()
    for message in (failed, sent):
        assert page_url(message, "do", "send_again") in read(client, page_url(message))
    assert page_url(waiting, "do", "send_again") not in read(client, page_url(waiting))
    data = {"action": "send_again", "_selected_action": [failed.pk, sent.pk, waiting.pk]}
    page = client.post(list_url(WebhookMessage), data, follow=True).content.decode()
    assert "2 webhook messages sent again" in page
    assert "is pending: it is sent anyway" in page
    assert set(WebhookMessage.objects.values_list("status", "tries")) == {("PENDING", 0)}


@pytest.mark.parametrize(("failures", "why"), [(3, "3 messages in a row failed"), (0, "the receiver asked for it")])
def test_a_pause_says_why(client: Client, endpoint: WebhookEndpoint, failures: int, why: str) -> None:
    until = timezone.now() + timedelta(minutes=1)
    WebhookEndpoint.objects.update(failures_in_a_row=failures, paused_until=until)
    page = read(client, page_url(endpoint))
    assert "Paused until" in page
    assert f": {why}. A test that passes ends the pause." in page


def test_a_page_says_how_many_messages_were_refused(
    client: Client, endpoint: WebhookEndpoint, make_message: MakeMessage, shop: Scripted
) -> None:
    shop.answers = [(307, {"Location": "https://www.shop.example/hook"}, b""), 204, 500, 204]
    for _ in range(2):
        make_message()
    assert "to be sent again" not in read(client, page_url(endpoint))
    sender.send(endpoint.pk)
    assert "1 message waits to be sent again." in read(client, page_url(endpoint))
    for _ in range(2):
        make_message()
    sender.send(endpoint.pk)
    assert "2 messages wait to be sent again." in read(client, page_url(endpoint))
    first = WebhookMessage.objects.earliest("id")
    assert "redirects to https://www.shop.example/hook: enter that URL." in read(client, page_url(first))


def test_a_viewer_reads_and_changes_nothing(
    organization: Organization, endpoint: WebhookEndpoint, make_message: MakeMessage
) -> None:
    """S14."""
    viewer = log_in(organization, Role.VIEWER)
    page = read(viewer, page_url(endpoint))
    assert endpoint.url in page
    assert "do/new_secret" not in page
    assert viewer.post(page_url(endpoint), fields(endpoint.url)).status_code == 403
    read(viewer, page_url(make_message()))
