"""Incidents of what is no connection: the archive, webhooks, API tokens, processes that stopped."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError
from django.db.models import F
from django.test import Client
from django.utils import timezone

from connectors.models import ERPConnection
from exports.delivery import drain
from exports.documents import archive
from exports.incidents import detector, standby
from exports.incidents.detector import NotResolvable
from exports.incidents.detectors import components
from exports.incidents.models import Incident, Recipient
from exports.incidents.tasks import watch as watch_task
from exports.models import ERPExport
from exports.webhooks import endpoint_service
from exports.webhooks.models import WebhookEndpoint
from orderflow.api.models import ApiToken
from orderflow.api.tokens import service as token_service
from orderflow.heartbeats import recorder, standstill
from orderflow.heartbeats.standstill import BEAT, SWEEP
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.exports.incidents.conftest import digest_time
from tests.servers.smtp import Mailbox
from tests.support.heartbeats import TASKS, ago, everything_ran
from tests.support.tenants import log_in, make_user, page_url

Kind = Incident.Kind


def open_ones() -> list[tuple[str, str]]:
    detector.compare()
    return list(Incident.objects.filter(closed_at=None).order_by("kind").values_list("kind", "label"))


def dashboard(organization: Organization) -> str:
    return log_in(organization, Role.OPS).get("/admin/").content.decode()


@pytest.fixture
def unarchived(push: Push, connection: ERPConnection, settings: Any, tmp_path: Path) -> ERPExport:
    """Sent while the storage took nothing."""
    (tmp_path / "storage").write_text("This is no folder.")
    export = push()
    drain.drain(connection.pk)
    ERPExport.objects.update(sent_at=F("sent_at") - components.ARCHIVE_LATE + timedelta(minutes=1))
    assert open_ones() == []
    ERPExport.objects.update(sent_at=F("sent_at") - timedelta(minutes=2))
    export.refresh_from_db()
    assert (export.status, export.storage_key) == ("SENT", "")
    return export


def test_documents_that_the_storage_does_not_take_are_an_incident(
    unarchived: ERPExport, mailbox: Mailbox, recipient: Recipient, organization: Organization, tmp_path: Path
) -> None:
    """B64."""
    watch_task()
    assert mailbox.subjects == ["[OrderFlow] Acme: documents not archived: 1"]
    assert unarchived.filename in mailbox.mails[0].get_content()
    assert "Documents not archived" in dashboard(organization)
    assert archive.store_missing() == 0
    watch_task()
    assert len(mailbox.mails) == 1
    (tmp_path / "storage").unlink()
    assert archive.store_missing() == 1
    watch_task()
    assert mailbox.subjects[1:] == ["[OrderFlow] Acme: resolved: documents not archived"]


def test_a_document_that_can_never_be_archived_is_resolved_by_a_person_and_a_further_one_told(
    unarchived: ERPExport, push: Push, connection: ERPConnection
) -> None:
    assert open_ones() == [(Kind.ARCHIVE, "")]
    incident = Incident.objects.get()
    client = log_in(connection.organization, Role.OPS)
    client.post(page_url(incident, "do", "resolve"))
    assert open_ones() == []
    with pytest.raises(NotResolvable):
        detector.resolve(incident, actor="late")
    further = push()
    drain.drain(connection.pk)
    ERPExport.objects.filter(pk=further.pk).update(sent_at=timezone.now() - components.ARCHIVE_LATE)
    Incident.objects.update(closed_at=timezone.now() - timedelta(minutes=1))
    assert open_ones() == [(Kind.ARCHIVE, "")]


def test_a_webhook_that_was_disabled_is_an_incident_until_it_is_enabled(
    organization: Organization, mailbox: Mailbox, recipient: Recipient
) -> None:
    row = WebhookEndpoint(organization=organization, name="Slack", url="https://127.0.0.1/hook", enabled=False)
    endpoint = endpoint_service.create(row, actor="ops")
    assert open_ones() == []
    disabled_at = timezone.now() + timedelta(hours=1)
    WebhookEndpoint.objects.update(disabled_reason="The receiver answered 410 Gone.", disabled_at=disabled_at)
    watch_task()
    assert Incident.objects.get().opened_at == disabled_at
    assert mailbox.subjects == ["[OrderFlow] Acme, Slack: webhook disabled"]
    assert "410 Gone" in mailbox.mails[0].get_content()
    assert "410 Gone" in dashboard(organization)
    endpoint.enabled = True
    endpoint_service.edit(endpoint, ["enabled"], actor="ops")
    assert open_ones() == []


@pytest.fixture
def token(organization: Organization) -> ApiToken:
    return token_service.make(make_user(organization, Role.OPS, "shop"), "Web shop", actor="ops", days=90)[0]


def expires(token: ApiToken, **left: int) -> None:
    ends = timezone.now() + timedelta(**left)
    ApiToken.objects.filter(pk=token.pk).update(expiry=ends, created=ends - timedelta(days=90))


def used(token: ApiToken, at: Any) -> None:
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=at)


def test_a_token_is_reported_14_7_and_1_days_before_its_end_and_when_it_has_expired(
    token: ApiToken, mailbox: Mailbox, recipient: Recipient, organization: Organization
) -> None:
    """B66."""
    used(token, timezone.now())
    counts = []
    for left in ({"days": 15}, {"days": 13}, {"days": 8}, {"days": 6}, {"days": 2}, {"hours": 20}, {"hours": -1}):
        expires(token, **left)
        for _ in range(2):
            digest_time()
            watch_task()
        counts.append(len(mailbox.mails))
    assert counts == [0, 1, 1, 2, 2, 3, 4]
    # A folded header with an ellipsis in it begins with a space.
    assert {subject.strip() for subject in mailbox.subjects} == {f"[OrderFlow] Acme, {token}: API token expires"}
    assert "The token of user shop is valid until" in mailbox.mails[0].get_content()
    assert "Web shop" in dashboard(organization)
    token_service.revoke(token, actor="ops")
    watch_task()
    assert mailbox.subjects[-1].strip() == f"[OrderFlow] Acme, {token}: resolved: API token expires"


def test_which_tokens_are_reported(organization: Organization, token: ApiToken) -> None:
    shop = token.user
    short = token_service.make(shop, "Tried out", actor="ops", days=1)[0]
    login = ApiToken.objects.create(shop, name=token_service.LOG_IN)[0]
    expires(login, days=3)
    expires(token, days=-1)
    assert open_ones() == []
    used(token, token.expiry - timedelta(days=91))
    assert open_ones() == [(Kind.TOKEN, str(token))]
    used(login, timezone.now())
    assert {label for _, label in open_ones()} == {str(token), str(login)}
    used(short, timezone.now())
    ApiToken.objects.filter(pk=short.pk).update(expiry=timezone.now() - timedelta(minutes=1))
    assert str(short) in {label for _, label in open_ones()}
    User.objects.filter(pk=shop.pk).update(is_active=False)
    assert open_ones() == []


def test_the_token_of_a_superuser_without_an_organization_is_reported_to_those_in_use(
    connection: ERPConnection, organization: Organization
) -> None:
    """B66."""
    Organization.objects.create(name="Unused", slug="unused")
    root = User.objects.create_superuser("root")
    token = ApiToken.objects.create(root, name="Monitoring")[0]
    nobody = ApiToken.objects.create(make_user(None, Role.OPS, "nobody"), name="Opens nothing")[0]
    for each in (token, nobody):
        expires(each, days=3)
        used(each, timezone.now())
    assert open_ones() == [(Kind.TOKEN, "API token of a superuser")]
    incident = Incident.objects.get()
    assert incident.details == f"API token {token} of superuser root."
    assert incident.organization == organization
    assert "The token of a superuser is valid until" in incident.reason
    assert "root" not in incident.reason
    token.delete()
    assert open_ones() == []


def test_a_person_who_resolved_a_token_hears_of_it_again_at_its_next_stage(token: ApiToken) -> None:
    reported = [(Kind.TOKEN, str(token))]
    left = timedelta(days=13)
    for then in (timedelta(days=13), timedelta(days=6), timedelta(hours=20), timedelta(hours=-1)):
        # The time between them has passed.
        Incident.objects.update(closed_at=F("closed_at") - (left - then))
        expires(token, hours=then // timedelta(hours=1))
        used(token, timezone.now() - timedelta(days=2))
        assert open_ones() == reported
        detector.resolve(Incident.objects.get(closed_at=None), actor="ops")
        assert open_ones() == []
        expires(token, hours=then // timedelta(hours=1) - 1)
        assert open_ones() == []
        left = then
    assert Incident.objects.count() == 4


def test_workers_that_stopped_are_reported_by_beat_until_one_runs_again(
    connection: ERPConnection, mailbox: Mailbox, recipient: Recipient
) -> None:
    everything_ran()
    standby.look()
    assert (mailbox.mails, Incident.objects.count()) == ([], 0)
    for task in TASKS:
        ago(task, 3600)
    for _ in range(3):
        standby.look()
    assert mailbox.subjects == ["[OrderFlow] Acme, worker: component stopped"]
    text = mailbox.mails[0].get_content()
    assert "No worker has swept the queue since" in text
    assert "celery -A orderflow worker" in text
    everything_ran()
    watch_task()
    assert mailbox.subjects[1:] == ["[OrderFlow] Acme, worker: resolved: component stopped"]


@pytest.mark.parametrize("error", [RuntimeError("no"), OSError("no"), InterfaceError("no")], ids=repr)
def test_beat_looks_again_after_a_round_that_failed(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = []
    end = threading.Event()

    def look() -> None:
        rounds.append(threading.get_ident())
        if len(rounds) == 1:
            raise error
        end.set()

    monkeypatch.setattr(standby, "LOOKS_EVERY_S", 0.01)
    monkeypatch.setattr(standby, "look", look)
    thread = threading.Thread(target=standby.look_regularly, args=(end,), daemon=True)
    thread.start()
    assert end.wait(20)
    thread.join(20)
    assert rounds == [thread.ident] * 2
    assert "Standstills cannot be reported now" in caplog.text


@pytest.mark.parametrize("name", [BEAT, SWEEP])
def test_what_stopped_is_an_incident_as_soon_as_a_probe_sees_it(connection: ERPConnection, name: str) -> None:
    everything_ran()
    ago(name, 3600)
    for _ in range(2):
        assert Client().get("/readyz").status_code == 503
    assert [row.kind for row in Incident.objects.all()] == [Kind.STOPPED]
    everything_ran()
    detector.compare()
    assert Client().get("/readyz").status_code == 200
    assert not Incident.objects.filter(closed_at=None).exists()


def test_a_task_that_does_not_run_is_reported_by_the_worker_that_compares(connection: ERPConnection) -> None:
    everything_ran()
    for name in (BEAT, *TASKS):
        ago(name, 1)
    ago("exports.tasks.poll_due", standstill.limit_s("exports.tasks.poll_due") + 10)
    assert open_ones() == [(Kind.STOPPED, "exports.tasks.poll_due")]
    assert "queues" in Incident.objects.get().reason


def test_just_after_a_start_nothing_is_reported(connection: ERPConnection) -> None:
    """The first comparison comes before everything has run again."""
    everything_ran()
    for name in (BEAT, *TASKS):
        ago(name, 86_400)
    recorder.finished(components.WATCH, standstill.limit_s(components.WATCH))
    assert open_ones() == []


def test_a_new_installation_has_no_incident(connection: ERPConnection) -> None:
    """What has never run is on the dashboard and in /readyz, as before."""
    assert Client().get("/readyz").status_code == 503
    standby.look()
    assert not Incident.objects.exists()
