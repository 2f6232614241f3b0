from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from connectors.connections import health
from connectors.models import ERPConnection
from exports import ack_poller
from exports.admin import verdicts
from exports.models import AckFile, ERPExport, Lane, Verdict
from exports.rollback import guard
from orderflow.admin.pages import badge
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.conftest import ApiAs
from tests.support.tenants import list_url, log_in, page_url

MATTERS = [Verdict.CONFLICT, Verdict.LATE, Verdict.ORPHAN, Verdict.INCOMPLETE, Verdict.MALFORMED, Verdict.UNREAD]


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.OPS)


@pytest.fixture
def answer(sent: ERPExport, connection: ERPConnection) -> AckFile:
    return AckFile.objects.create(
        organization=sent.organization, connection=connection, export=sent, name=f"ack_{sent.filename}", size=1,
        modified_at=0, raw="{", verdict=Verdict.MALFORMED, reason="It is no JSON.", seen_at=timezone.now(),
    )  # fmt: skip


def read_again(client: Client, answer: AckFile) -> str:
    return client.post(page_url(answer, "do", "read_again"), follow=True).content.decode()


@pytest.mark.parametrize("verdict", Verdict)
def test_the_page_says_what_a_verdict_means_for_people(client: Client, answer: AckFile, verdict: Verdict) -> None:
    AckFile.objects.filter(pk=answer.pk).update(verdict=verdict)
    page = client.get(page_url(answer)).content.decode()
    said = ("It contradicts", "a newer one has replaced", "it stays where it is", "still be growing", "lies in error/",
            "it was not read")  # fmt: skip
    assert [text in page for text in said] == [verdict == each for each in MATTERS]


@pytest.mark.parametrize(("status", "rejected"), [("ACKED", False), ("FAILED", True)])
def test_a_rejection_that_matched_does_not_look_like_success(
    client: Client, answer: AckFile, status: str, rejected: bool
) -> None:
    name = answer.name.replace("ack_", "error_") if rejected else answer.name
    AckFile.objects.filter(pk=answer.pk).update(verdict=Verdict.MATCHED, name=name)
    ERPExport.objects.update(status=status, settled_at=timezone.now())
    good, bad = badge("Matched", "success"), badge("Matched: rejected by the ERP", "danger")
    for url in (list_url(AckFile), page_url(answer), page_url(ERPExport.objects.get())):
        page = _rows(client.get(url).content.decode())
        assert (good in page, bad in page) == (not rejected, rejected), url
    said = "the ERP rejected the order" if rejected else "the ERP has accepted the order"
    for url in (page_url(answer), page_url(ERPExport.objects.get())):
        assert said in client.get(url).content.decode()


def _rows(page: str) -> str:
    """Without the list's legend."""
    return page.partition("What the verdicts mean")[0]


def test_the_list_explains_every_verdict(client: Client) -> None:
    legend = client.get(list_url(AckFile)).content.decode().partition("What the verdicts mean")[2]
    for verdict in Verdict:
        assert badge(str(verdict.label), verdicts.COLOURS.get(verdict, "")) in legend
        assert escape(verdicts.SHORT[verdict]) in legend


@pytest.mark.parametrize("verdict", [Verdict.MALFORMED, Verdict.UNREAD, Verdict.INCOMPLETE])
def test_why_a_file_was_not_read_is_told_wherever_it_is_shown(
    client: Client, answer: AckFile, api_as: ApiAs, verdict: Verdict
) -> None:
    """B34."""
    AckFile.objects.filter(pk=answer.pk).update(verdict=verdict, reason="It is <b>no</b> JSON.")
    export = ERPExport.objects.get()
    for url in (page_url(answer), list_url(AckFile), page_url(export)):
        assert "It is &lt;b&gt;no&lt;/b&gt; JSON." in client.get(url).content.decode(), url
    api = api_as(Role.OPS)
    (listed,) = api.get("/api/v1/ack-files/").json()["results"]
    (of_export,) = api.get(f"/api/v1/exports/{export.pk}/").json()["ack_files"]
    for row in (listed, api.get(f"/api/v1/ack-files/{answer.pk}/").json(), of_export):
        assert (row["verdict"], row["reason"]) == (verdict, "It is <b>no</b> JSON.")


def test_why_a_file_was_left_is_told_with_what_to_do(client: Client, answer: AckFile) -> None:
    AckFile.objects.filter(pk=answer.pk).update(verdict=Verdict.MATCHED, left_because="<b>No permission.</b>")
    page = client.get(page_url(answer)).content.decode()
    assert "could not be moved away: &lt;b&gt;No permission.&lt;/b&gt; Fix that" in page
    AckFile.objects.filter(pk=answer.pk).update(verdict=Verdict.MALFORMED)
    page = client.get(page_url(answer)).content.decode()
    assert "It could not be read, and could not be moved to error/ either" in page
    assert "&lt;b&gt;No permission.&lt;/b&gt; Fix that" in page
    for untrue in ("lies in error/", "It was read", "It counts"):
        assert untrue not in page


@pytest.mark.parametrize(("actor", "by"), [("eva", "eva"), ("", "a later file or state")])
def test_a_file_that_was_resolved_asks_for_nothing(client: Client, answer: AckFile, actor: str, by: str) -> None:
    AckFile.objects.filter(pk=answer.pk).update(resolved_at=timezone.now(), resolved_by=actor)
    page = client.get(page_url(answer)).content.decode()
    assert f"It was resolved by {by} at " in page
    assert "nothing is to be done." in page
    assert "Have the ERP write" not in page


@pytest.mark.django_db(transaction=True)
def test_reading_again_has_the_folder_read_at_once(
    client: Client, answer: AckFile, connection: ERPConnection, queue: list[UUID], folder: Any
) -> None:
    sent = ERPExport.objects.get()
    page = read_again(client, answer)
    assert "1 connection asked for now" in page
    assert queue == [connection.pk]
    assert AuditEntry.objects.get(action="read answers again").actor == "ops@acme"
    # The ERP has written it once more, complete.
    (folder / "acks" / f"ack_{sent.filename}").write_text('{"status": "ACKED", "erp_order_id": "SO-1"}')
    ack_poller.poll(queue.pop())
    sent.refresh_from_db()
    assert sent.status == "ACKED"
    # A file that has not grown between two readings counts as complete, so that the next one has to wait.
    assert "was read a moment ago" in read_again(client, answer)
    assert queue == []
    Lane.objects.update(last_run_at=timezone.now() - timedelta(seconds=11))
    assert "1 connection asked for now" in read_again(client, answer)
    assert queue == [connection.pk]


def test_a_connection_that_may_not_be_used_is_not_asked(
    client: Client, answer: AckFile, connection: ERPConnection, queue: list[UUID]
) -> None:
    ERPConnection.objects.update(paused_until=timezone.now() + timedelta(minutes=1))
    assert "is paused, its server is away" in read_again(client, answer)
    health.block(connection.pk, "Log-in refused.")
    assert "is blocked: Log-in refused. Fix it and test it." in read_again(client, answer)
    assert queue == []
    assert not AuditEntry.objects.filter(action="read answers again").exists()


@pytest.mark.django_db(transaction=True)
def test_no_folder_is_read_again_while_all_are_held(client: Client, answer: AckFile, queue: list[UUID]) -> None:
    guard.hold("Test.")
    assert "Deliveries and polls are held: Test." in read_again(client, answer)
    assert queue == []


def test_a_connection_is_read_again_whenever_another_one_or_a_delivery_was(
    client: Client,
    answer: AckFile,
    connection: ERPConnection,
    queue: list[UUID],
    django_capture_on_commit_callbacks: Any,
) -> None:
    other = ERPConnection.objects.get(pk=connection.pk)
    other.pk, other.name, other.is_default = None, "Other", False
    other._state.adding = True
    other.save()
    Lane.objects.create(connection=other, kind=Lane.Kind.ACKS, last_run_at=timezone.now())
    Lane.objects.filter(connection=connection, kind=Lane.Kind.DELIVERY).update(last_run_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        assert "1 connection asked for now" in read_again(client, answer)
    assert queue == [connection.pk]
