import hashlib
import shutil
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.models import ERPConnection
from connectors.registry import registry
from connectors.types.sales_order import SalesOrder
from exports import tasks
from exports.delivery import drain
from exports.documents import archive as copies
from exports.lanes import leases
from exports.models import ERPExport, Lane
from orderflow.keys import fresh_keys
from orderflow.orders.status import OrderStatus
from tests.conftest import MakeOrder
from tests.exports.conftest import Push, names
from tests.support.temporary_names import temporary_name, unmarked


def test_pushed_orders_lie_in_the_dropzone_once_under_their_names(
    push: Push, connection: ERPConnection, folder: Path, tmp_path: Path
) -> None:
    exports = [push() for _ in range(3)]
    drain.drain(connection.pk)
    drain.drain(connection.pk)
    assert names(folder / "in") == sorted(export.filename for export in exports)
    for export in exports:
        export.refresh_from_db()
        content = (folder / "in" / export.filename).read_bytes()
        assert (export.status, export.draft_order.status) == ("SENT", OrderStatus.PUSHED)
        assert export.document_sha256 == hashlib.sha256(content).hexdigest()
        assert export.document_size == len(content)
        assert (tmp_path / "storage" / export.storage_key).read_bytes() == content
        assert export.storage_key == f"exports/{export.organization_id}/{export.filename}"
        assert export.dropzone_path == f"in/{export.filename}"
        assert [event.kind for event in export.events.all()] == ["REQUESTED", "STAGED", "SENT"]
        assert export.answer_due_at is not None


def test_orders_leave_in_the_order_of_their_push(push: Push, connection: ERPConnection, settings: object) -> None:
    settings.DELIVERY_BATCH_SIZE = 2  # type: ignore[attr-defined]
    exports = [push() for _ in range(5)]
    drain.drain(connection.pk)
    assert list(ERPExport.objects.order_by("sent_at", "created_at")) == exports


def journaled(export: ERPExport, folder: Path, content: bytes) -> Path:
    """As a worker leaves it that died between the journal and the commit of SENT."""
    temporary = folder / "in" / temporary_name(export.filename)
    ERPExport.objects.filter(pk=export.pk).update(
        staged_path=f"file://{folder}/in/{temporary.name}",
        document_sha256=hashlib.sha256(content).hexdigest(),
        document_size=len(content),
    )
    return temporary


@pytest.fixture
def content(push: Push, connection: ERPConnection, folder: Path) -> bytes:
    """What the export of the test will render to; nothing of it is left in the dropzone."""
    export = push()
    drain.drain(connection.pk)
    path = folder / "in" / export.filename
    content = path.read_bytes()
    path.unlink()
    export.events.all()
    ERPExport.objects.filter(pk=export.pk).update(status="PENDING", sent_at=None, staged_path="", tries=0)
    type(export.draft_order).objects.filter(pk=export.draft_order_id).update(status="PUSHING")
    return content


@pytest.fixture
def pending(content: bytes) -> ERPExport:
    return ERPExport.objects.get()


@pytest.mark.parametrize("temporary_left", [True, False])
def test_a_file_that_was_published_already_is_not_sent_again(
    pending: ERPExport, content: bytes, folder: Path, connection: ERPConnection, temporary_left: bool
) -> None:
    """F1, F3, F5."""
    temporary = journaled(pending, folder, content)
    final = folder / "in" / pending.filename
    final.write_bytes(content)
    before = final.stat().st_ino
    if temporary_left:
        temporary.write_bytes(content)
    drain.drain(connection.pk)
    pending.refresh_from_db()
    assert pending.status == "SENT"
    assert names(folder / "in") == [pending.filename]
    assert final.stat().st_ino == before


def test_a_staged_file_that_was_not_published_is_renamed(
    pending: ERPExport, content: bytes, folder: Path, connection: ERPConnection
) -> None:
    """F1."""
    temporary = journaled(pending, folder, content)
    temporary.write_bytes(content)
    inode = temporary.stat().st_ino
    drain.drain(connection.pk)
    pending.refresh_from_db()
    assert pending.status == "SENT"
    assert names(folder / "in") == [pending.filename]
    assert (folder / "in" / pending.filename).stat().st_ino == inode


def test_a_file_that_the_erp_took_already_is_never_sent_again(
    pending: ERPExport, content: bytes, folder: Path, connection: ERPConnection
) -> None:
    """F1, F8."""
    journaled(pending, folder, content)
    drain.drain(connection.pk)
    pending.refresh_from_db()
    assert pending.status == "SENT"
    assert names(folder / "in") == []


def test_a_missing_file_that_another_worker_may_have_removed_needs_a_person(
    pending: ERPExport, content: bytes, folder: Path, connection: ERPConnection
) -> None:
    """F31: staged by a version whose temporary names all workers shared."""
    journaled(pending, folder, content)
    ERPExport.objects.update(staged_path=f"file://{folder}/in/{pending.filename}.tmp")
    drain.drain(connection.pk)
    pending.refresh_from_db()
    assert (pending.status, pending.undecided_since is None) == ("PENDING", False)
    assert "earlier version" in pending.error_message
    drain.drain(connection.pk)
    assert names(folder / "in") == []


def test_somebody_elses_file_under_the_final_name_is_left_alone(
    pending: ERPExport, content: bytes, folder: Path, connection: ERPConnection
) -> None:
    """F5."""
    journaled(pending, folder, content).write_bytes(content)
    final = folder / "in" / pending.filename
    final.write_bytes(b"x" * len(content))
    drain.drain(connection.pk)
    pending.refresh_from_db()
    pending.draft_order.refresh_from_db()
    assert (pending.status, pending.draft_order.status) == ("FAILED", OrderStatus.ERROR)
    assert "other bytes" in pending.error_message
    assert final.read_bytes() == b"x" * len(content)


def test_a_staged_file_that_lost_bytes_is_written_anew(
    pending: ERPExport, content: bytes, folder: Path, connection: ERPConnection
) -> None:
    journaled(pending, folder, content).write_bytes(content[:10])
    drain.drain(connection.pk)
    assert (folder / "in" / pending.filename).read_bytes() == content


def test_a_file_staged_in_another_place_needs_a_person(
    pending: ERPExport, content: bytes, folder: Path, connection: ERPConnection
) -> None:
    journaled(pending, folder, content)
    ERPExport.objects.update(staged_path="sftp://erp@old.example:22/in/x.json.tmp")
    drain.drain(connection.pk)
    pending.refresh_from_db()
    assert (pending.status, pending.undecided_since is None) == ("PENDING", False)
    assert "left it at sftp://erp@old.example:22/in/x.json.tmp, and the connection leads to" in pending.error_message
    assert names(folder / "in") == []
    connection.refresh_from_db()
    # It says nothing about the server.
    assert connection.failures_in_a_row == 0


def test_an_order_that_changed_after_staging_needs_a_person(
    pending: ERPExport, content: bytes, folder: Path, connection: ERPConnection, tmp_path: Path
) -> None:
    journaled(pending, folder, content)
    customer = pending.draft_order.customer
    assert customer is not None
    customer.name = "Somebody else"
    customer.save()
    drain.drain(connection.pk)
    pending.refresh_from_db()
    assert (pending.status, pending.undecided_since is None) == ("PENDING", False)
    assert "changed since" in pending.error_message
    copies = [path for path in (tmp_path / "storage" / "exports").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in copies] == [content]


def test_a_missing_folder_blocks_the_connection_until_it_is_mended(
    push: Push, connection: ERPConnection, folder: Path
) -> None:
    """F13: no storm of tries, the export waits, and mending releases it."""
    export = push()
    shutil.rmtree(folder / "in")
    drain.drain(connection.pk)
    drain.drain(connection.pk)
    export.refresh_from_db()
    connection.refresh_from_db()
    assert (export.status, export.tries) == ("PENDING", 0)
    assert connection.blocked_at is not None
    assert "in" in connection.blocked_reason
    assert [event.kind for event in export.events.all()] == ["REQUESTED", "BLOCKED"]

    (folder / "in").mkdir()
    assert connection_service.test(connection, actor="test").success
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert export.status == "SENT"


def test_a_config_that_cannot_be_decrypted_blocks_only_its_connection(
    push: Push, make_order: MakeOrder, connection: ERPConnection, folder: Path
) -> None:
    """F25."""
    healthy = ERPConnection(organization=connection.organization, connector_type="DROPZONE_JSON_V1")
    config = {"mode": "filesystem", "export_path": "in"}
    connection_service.save(healthy, ConnectionChanges(name="Healthy", config=config), actor="test")
    ERPConnection.objects.filter(pk=connection.pk).update(config_encrypted=healthy.config_encrypted)
    stuck = push()
    fine = push()
    ERPExport.objects.filter(pk=fine.pk).update(connection=healthy)
    for pk in (connection.pk, healthy.pk):
        drain.drain(pk)
    connection.refresh_from_db()
    assert "cannot be decrypted" in connection.blocked_reason
    assert set(ERPExport.objects.values_list("pk", "status")) == {(stuck.pk, "PENDING"), (fine.pk, "SENT")}


def test_a_worker_without_the_new_key_holds_a_connection_up_until_the_next_sweep(
    push: Push, connection: ERPConnection, folder: Path, settings: Any
) -> None:
    """F25, S3: while workers are started anew one by one, one may still lack the key that another sealed with."""
    export = push()
    old, new = settings.ENCRYPTION_MASTER_KEY, fresh_keys()["ENCRYPTION_MASTER_KEY"]
    settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS = new, [old]
    call_command("rotate_encryption_key", stdout=StringIO())

    settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS = old, []
    drain.drain(connection.pk)
    tasks.sweep()
    connection.refresh_from_db()
    assert "ENCRYPTION_PREVIOUS_KEYS" in connection.blocked_reason

    settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS = new, [old]
    tasks.sweep()
    drain.drain(connection.pk)
    export.refresh_from_db()
    connection.refresh_from_db()
    assert (export.status, export.tries, connection.blocked_at) == ("SENT", 1, None)
    assert [event.kind for event in export.events.all()] == ["REQUESTED", "BLOCKED", "RELEASED", "STAGED", "SENT"]


@pytest.mark.parametrize("change", [{"status": "DISABLED"}, {"paused_until": timezone.now() + timedelta(hours=1)}])
def test_a_connection_that_may_not_be_used_is_left_alone(
    push: Push, connection: ERPConnection, folder: Path, change: dict[str, object]
) -> None:
    """F26."""
    export = push()
    ERPConnection.objects.filter(pk=connection.pk).update(**change)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, names(folder / "in")) == ("PENDING", [])


def test_an_order_that_cannot_be_rendered_fails_alone(push: Push, connection: ERPConnection, folder: Path) -> None:
    wrong, right = push(), push()
    wrong.draft_order.lines.update(uom="")
    drain.drain(connection.pk)
    wrong.refresh_from_db()
    right.refresh_from_db()
    assert (wrong.status, right.status) == ("FAILED", "SENT")
    assert "uom" in wrong.error_message
    assert names(folder / "in") == [right.filename]


def test_an_object_storage_that_is_down_does_not_hold_the_order_up(
    push: Push, connection: ERPConnection, folder: Path, tmp_path: Path
) -> None:
    """F27: the order goes, the copy follows."""
    (tmp_path / "storage").write_text("no folder")
    export = push()
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, export.storage_key) == ("SENT", "")

    (tmp_path / "storage").unlink()
    ERPExport.objects.update(sent_at=timezone.now() - timedelta(minutes=5))
    tasks.store_copies()
    export.refresh_from_db()
    copy = tmp_path / "storage" / export.storage_key
    assert copy.read_bytes() == (folder / "in" / export.filename).read_bytes()


def test_a_copy_that_cannot_be_made_again_does_not_keep_others_from_theirs(
    push: Push, connection: ERPConnection, folder: Path, settings: Any
) -> None:
    """F27."""
    exports = [push() for _ in range(3)]
    drain.drain(connection.pk)
    exports[0].draft_order.lines.update(qty=999)
    ERPExport.objects.update(storage_key="", sent_at=timezone.now() - timedelta(minutes=5))
    settings.DELIVERY_BATCH_SIZE = 1
    assert copies.store_missing() == 2
    assert list(ERPExport.objects.filter(storage_key="")) == [exports[0]]


def test_a_lane_has_one_holder(push: Push, connection: ERPConnection, folder: Path) -> None:
    """F6, F21."""
    push()
    with leases.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease is not None
        drain.drain(connection.pk)
        assert names(folder / "in") == []
    drain.drain(connection.pk)
    assert len(names(folder / "in")) == 1


def test_a_holder_that_lost_its_lane_publishes_nothing(push: Push, connection: ERPConnection, folder: Path) -> None:
    """F21: the fencing token is checked before the rename."""
    export = push()
    with leases.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease is not None
        Lane.objects.update(token=lease.token + 1)
        with pytest.raises(leases.LaneLost):
            drain._drain(lease)
    export.refresh_from_db()
    assert (export.status, export.staged_path) == ("PENDING", "")
    assert unmarked(names(folder / "in")) == [f"{export.filename}.tmp"]


def test_an_expired_lease_is_taken_over(push: Push, connection: ERPConnection, folder: Path) -> None:
    """F20."""
    push()
    Lane.objects.create(
        connection=connection, kind="DELIVERY", token=7, leased_until=timezone.now() - timedelta(seconds=1)
    )
    drain.drain(connection.pk)
    assert len(names(folder / "in")) == 1
    assert Lane.objects.get(kind="DELIVERY").token > 7


def test_without_a_temporary_name_the_file_is_written_in_place(
    push: Push, connection: ERPConnection, folder: Path
) -> None:
    connection_service.save(connection, ConnectionChanges(config={"atomic_write": False}), actor="test")
    export = push()
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, export.staged_path) == ("SENT", "")
    assert names(folder / "in") == [export.filename]


def test_a_connector_that_falls_over_is_tried_again_with_a_pause(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Faulty(DropzoneJsonV1Connector):
        def render_content(self, draft_order: SalesOrder) -> bytes:
            raise KeyError(draft_order.org_slug)

    export = push()
    monkeypatch.setitem(registry._connectors, connection.connector_type, Faulty)
    drain.drain(connection.pk)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, export.tries) == ("PENDING", 1)
    assert "failed unexpectedly" in export.error_message

    monkeypatch.undo()
    ERPExport.objects.update(next_attempt_at=None)
    drain.drain(connection.pk)
    assert names(folder / "in") == [export.filename]
