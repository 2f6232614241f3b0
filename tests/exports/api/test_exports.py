from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone
from rest_framework.test import APIClient

from exports.models import ERPExport, ExportEvent
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.support.api.problems import problem

EXPORTS = "/api/v1/exports/"


def test_an_export_says_where_it_stands(api: APIClient, push: Push) -> None:
    export = push()
    now = timezone.now()
    ERPExport.objects.update(tries=2, next_attempt_at=now, error_message="sftp.acme.example does not answer.")
    detail = {"try": 2, "error": "timeout", "next_attempt_at": now.isoformat()}
    ExportEvent.objects.create(export=export, kind="RETRY", message="It does not answer.", detail=detail, at=now)
    body = api.get(f"{EXPORTS}{export.pk}/").json()
    assert (body["status"], body["tries"], body["error_message"]) == (
        "PENDING",
        2,
        "sftp.acme.example does not answer.",
    )
    # It is due, and goes as soon as it can.
    assert body["next_attempt_at"] is None
    assert (body["draft_order"], body["connection"]) == (str(export.draft_order_id), str(export.connection_id))
    assert [event["kind"] for event in body["events"]] == ["REQUESTED", "RETRY"]
    assert body["events"][1]["detail"] == detail


def test_exports_are_found_by_status_order_and_connection(api: APIClient, push: Push) -> None:
    pending, sent = push(), push()
    ERPExport.objects.filter(pk=sent.pk).update(status="SENT")
    for query, found in {
        "": [sent, pending],
        "status=SENT": [sent],
        "status=SENT&status=PENDING": [sent, pending],
        f"draft_order={pending.draft_order_id}": [pending],
        f"connection={sent.connection_id}": [sent, pending],
        f"connection={sent.pk}": [],
        f"external_order_number={sent.draft_order}": [sent],
    }.items():
        rows = api.get(f"{EXPORTS}?{query}").json()["results"]
        assert [row["id"] for row in rows] == [str(export.pk) for export in found], query
    problem(api.get(f"{EXPORTS}?status=LOST"), 422, "invalid")


def test_a_list_asks_the_database_as_often_for_many_exports_as_for_one(
    api: APIClient, push: Push, django_assert_max_num_queries: Any
) -> None:
    for count in (1, 19):
        for _ in range(count):
            push()
        with django_assert_max_num_queries(4):
            assert len(api.get(EXPORTS).json()["results"]) in (1, 20)


def test_pages_keep_order_when_exports_were_made_at_one_moment(
    api: APIClient, push: Push, make_order: MakeOrder
) -> None:
    expected = {str(push().pk) for _ in range(5)}
    ERPExport.objects.update(created_at=timezone.now() - timedelta(days=1))
    found, page = [], api.get(f"{EXPORTS}?page_size=2").json()
    found += [row["id"] for row in page["results"]]
    while page["next"]:
        page = api.get(page["next"]).json()
        found += [row["id"] for row in page["results"]]
    assert (set(found), len(found)) == (expected, 5)


def test_the_document_is_the_exact_bytes(api: APIClient, push: Push) -> None:
    export = push()
    content = '{"name": "Toms Spezialitäten", "unit_price": 9.8}\r\n\u2028'.encode()
    key = storages["exports"].save(f"exports/{export.organization_id}/{export.filename}", ContentFile(content))
    ERPExport.objects.update(storage_key=key)
    assert api.get(f"{EXPORTS}{export.pk}/").json()["document_stored"] is True
    response = api.get(f"{EXPORTS}{export.pk}/document/")
    assert response.content == content
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"] == f'attachment; filename="{export.filename}"'
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("key", ["", "exports/gone.json"])
def test_without_a_copy_the_document_is_not_there(key: str, api: APIClient, push: Push) -> None:
    export = push()
    ERPExport.objects.update(storage_key=key)
    response = api.get(f"{EXPORTS}{export.pk}/document/")
    assert export.filename in problem(response, 404, "document_not_stored")["detail"]
