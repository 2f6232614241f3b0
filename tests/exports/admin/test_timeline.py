from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from connectors.models import ERPConnection
from exports import ack_poller
from exports.admin import timeline
from exports.delivery import drain
from exports.models import ERPExport
from exports.models.status import ExportStatus
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.support.tenants import log_in, page_url

S = ExportStatus
ANSWER = '{"status": "ACKED",\n  "erp_order_id": "SO-77", "processed_at": "2026-11-23T10:01:00Z"}\n'


@pytest.fixture
def acked(sent: ERPExport, folder: Path) -> ERPExport:
    (folder / "acks" / f"ack_{sent.filename}").write_text(ANSWER)
    ack_poller.poll(sent.connection_id)
    sent.refresh_from_db()
    assert sent.status == S.ACKED
    return sent


def test_every_step_says_what_is_known_of_it(acked: ERPExport) -> None:
    found = {step.title: dict(step.facts) for step in timeline.steps(acked)}
    assert list(found) == ["Push requested", "Staged", "Sent", "Acknowledged"]
    sent = found["Sent"]
    assert (sent["Try"], sent["Remote path"], sent["SHA-256"]) == ("1", acked.dropzone_path, acked.document_sha256)
    assert sent["Bytes"] == f"{acked.document_size:,}"
    assert sent["Took"].endswith("s")
    assert found["Acknowledged"] == {
        "Answer file": f"ack_{acked.filename}",
        "ERP order id": "SO-77",
        "Processed at": "2026-11-23 10:01:00",
    }


def test_a_try_that_failed_says_why_and_when_the_next_one_is(push: Push, connection: ERPConnection) -> None:
    config = {"mode": "sftp", "host": "127.0.0.1", "port": 1, "username": "x", "password": "x", "export_path": "in"}
    connection.set_config(config)
    connection.save()
    export = push()
    drain.drain(connection.pk)
    export.refresh_from_db()
    step = timeline.steps(export)[-1]
    facts = dict(step.facts)
    assert step.title == "Try failed, another is planned"
    assert "nothing listens there" in step.message
    assert facts["Try"] == "1"
    assert export.next_attempt_at is not None
    assert facts["Next try at"] == f"{export.next_attempt_at:%Y-%m-%d %H:%M:%S}"
    assert timeline.standing(export).startswith("It waits, pushed now. The next attempt is in")


def test_a_name_that_nobody_knows_is_shown_as_it_is(sent: ERPExport) -> None:
    step = timeline._step(sent.events.model(kind="SENT", at=timezone.now(), detail={"speed": "12", "bytes": None}))
    assert step.facts == (("speed", "12"),)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"status": S.PENDING}, "It goes as soon as its connection can be used"),
        ({"status": S.SENT}, "This ERP does not answer."),
        ({"status": S.SENT, "answer_due_at": timedelta(hours=-2)}, "The answer is overdue for 2"),
        ({"status": S.SENT, "answer_due_at": timedelta(hours=2, minutes=1)}, "The answer is due in 2"),
        ({"status": S.ACKED, "settled_at": timedelta(hours=-3)}, "The ERP has it; it answered 3"),
        ({"status": S.ACKED, "erp_order_id": "SO-77"}, "The ERP has it as SO-77"),
        ({"status": S.FAILED, "settled_at": timedelta(hours=-3)}, "It failed 3"),
    ],
)
def test_where_it_stands_in_words(push: Push, fields: dict[str, object], sentence: str) -> None:
    now = timezone.now()
    export = push()
    for name, value in fields.items():
        setattr(export, name, now + value if isinstance(value, timedelta) else value)
    assert sentence in timeline.standing(export)


def test_the_page_has_the_answer_as_it_came(acked: ERPExport, organization: Organization) -> None:
    page = log_in(organization, Role.VIEWER).get(page_url(acked)).content.decode()
    assert ANSWER.replace('"', "&quot;") in page
    assert "The ERP has it as SO-77" in page
    assert page_url(acked.ack_files.get()) in page


def test_a_document_can_be_copied_where_there_is_one(organization: Organization, push: Push) -> None:
    export = push()
    person = log_in(organization, Role.VIEWER)
    assert "data-copies" not in person.get(page_url(export)).content.decode()
    drain.drain(export.connection_id)
    assert "data-copies=document" in person.get(page_url(export)).content.decode()
