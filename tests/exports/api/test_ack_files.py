from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.models import ERPConnection
from exports.models import AckFile, ERPExport
from tests.exports.conftest import Push
from tests.support.api.problems import problem

ACK_FILES = "/api/v1/ack-files/"
RAW = '{"status": "ACKED", "erp_order_id": "Grüße \N{DELIVERY TRUCK}"}'


def entered(connection: ERPConnection, export: ERPExport | None = None, **fields: Any) -> AckFile:
    number = AckFile.objects.count()
    values: dict[str, Any] = {"name": f"ack_{number}.json", "verdict": "MATCHED", "raw": RAW, "size": len(RAW)}
    values |= {"seen_at": timezone.now(), **fields}
    return AckFile.objects.create(
        organization_id=connection.organization_id,
        connection=connection,
        export=export,
        modified_at=0,
        **values,
    )


def test_an_answer_says_what_it_was_and_what_became_of_it(
    api: APIClient, push: Push, connection: ERPConnection
) -> None:
    export = push()
    ack = entered(connection, export, sha256="ab" * 32, left_because="The folder is full.", reason="So it is.")
    body = api.get(f"{ACK_FILES}{ack.pk}/").json()
    assert body == {
        "id": ack.pk,
        "name": "ack_0.json",
        "verdict": "MATCHED",
        "reason": "So it is.",
        "connection": str(connection.pk),
        "export": str(export.pk),
        "sha256": "ab" * 32,
        "size": len(RAW),
        "seen_at": body["seen_at"],
        "left_because": "The folder is full.",
        "gone_at": None,
        "raw": RAW,
    }
    (row,) = api.get(ACK_FILES).json()["results"]
    assert row == {name: value for name, value in body.items() if name != "raw"}


def test_a_file_that_nobody_could_read_has_no_text(api: APIClient, connection: ERPConnection) -> None:
    ack = entered(connection, verdict="ORPHAN", raw="")
    body = api.get(f"{ACK_FILES}{ack.pk}/").json()
    assert [body[name] for name in ("export", "sha256", "raw", "reason", "left_because")] == [None] * 5


def test_answers_are_found_by_verdict_connection_export_name_and_time(
    api: APIClient, push: Push, connection: ERPConnection
) -> None:
    export = push()
    other = ERPConnection.objects.create(
        organization=connection.organization, name="Other", connector_type="DROPZONE_JSON_V1"
    )
    day = timezone.now() - timedelta(days=1)
    matched = entered(connection, export)
    orphan = entered(other, verdict="ORPHAN", seen_at=day)
    late = entered(connection, export, verdict="LATE", name=orphan.name)
    asked: list[tuple[Any, list[AckFile]]] = [
        ({}, [late, orphan, matched]),
        ({"verdict": "ORPHAN"}, [orphan]),
        ({"verdict": ["ORPHAN", "MATCHED"]}, [orphan, matched]),
        ({"connection": other.pk}, [orphan]),
        ({"export": export.pk}, [late, matched]),
        ({"name": orphan.name}, [late, orphan]),
        ({"name": orphan.name, "connection": other.pk}, [orphan]),
        ({"name": "ack"}, []),
        ({"seen_before": (day + timedelta(hours=1)).isoformat()}, [orphan]),
        ({"seen_after": (day + timedelta(hours=1)).isoformat()}, [late, matched]),
    ]
    for query, found in asked:
        rows = api.get(ACK_FILES, query).json()["results"]
        assert [row["id"] for row in rows] == [ack.pk for ack in found], query


@pytest.mark.parametrize("number", ["0", "999", "9" * 19, "9" * 40, "9" * 5000])
def test_an_answer_that_is_not_there_is_not_found(number: str, api: APIClient, connection: ERPConnection) -> None:
    problem(api.get(f"{ACK_FILES}{number}/"), 404, "not_found")


def test_a_list_leaves_the_text_where_it_is(api: APIClient, connection: ERPConnection) -> None:
    """A file may have a megabyte."""
    entered(connection)
    with CaptureQueriesContext(database) as caught:
        api.get(ACK_FILES)
    assert not any('"raw"' in query["sql"] for query in caught)


def test_an_export_shows_the_newest_of_its_answers(api: APIClient, push: Push, connection: ERPConnection) -> None:
    export = push()
    entered(connection, push())
    acks = [entered(connection, export, verdict="DUPLICATE") for _ in range(22)]
    with CaptureQueriesContext(database) as caught:
        shown = api.get(f"/api/v1/exports/{export.pk}/").json()["ack_files"]
    assert [row["id"] for row in shown] == [ack.pk for ack in acks[:1:-1]]
    assert shown[0].keys() == {"id", "name", "verdict", "reason", "seen_at", "gone_at"}
    assert not any('"raw"' in query["sql"] for query in caught)
