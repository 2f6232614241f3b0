"""An export over a connection that will not work again has a way out, and none that was withdrawn is ever delivered."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from connectors.connections import health
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.dropzones import settings as dropzone_settings
from connectors.dropzones.backends.base import Move, OutgoingFile
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.exceptions import ConnectorError, RejectedError
from connectors.fencing import Fence
from connectors.models import ERPConnection
from exports import push_service
from exports.decisions import failure_groups, in_doubt, resolve, withdraw
from exports.delivery import drain
from exports.lanes import leases
from exports.models import ERPExport, Lane
from exports.models.status import PushRefused
from exports.push_service import PushRequest
from exports.rollback import guard
from exports.webhooks import endpoint_service
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from orderflow.db.clock import from_now
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push, names
from tests.support.admin.forms import form_in, forms_of
from tests.support.tenants import list_url, log_in, make_user, page_url
from tests.support.threads import at_once

REASON = "the ERP was replaced"


class Died(BaseException):
    """The worker, as far as the product can tell."""


def withdraw_now(export: ERPExport) -> ERPExport:
    return withdraw.withdraw(ERPExport.objects.get(pk=export.pk), actor="Eva", reason=REASON)


def stop(export: ERPExport) -> ERPExport:
    return withdraw.stop(ERPExport.objects.get(pk=export.pk), actor="Eva", reason=REASON)


def disable(connection: ERPConnection) -> None:
    connection_service.save(connection, ConnectionChanges(status=ERPConnection.Status.DISABLED), actor="test")


def second_connection(organization: Organization) -> ERPConnection:
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name="New ERP", config={"mode": "filesystem", "export_path": "new"})
    return connection_service.save(row, changes, actor="test")


def die_at_rename(push: Push, connection: ERPConnection, monkeypatch: pytest.MonkeyPatch) -> ERPExport:
    """An export whose worker has journaled it and died before it published anything."""

    class Dying(LocalDropzone):
        def rename(self, _moves: Sequence[Move]) -> list[ConnectorError | None]:
            raise Died

    export = push()
    with monkeypatch.context() as patched:
        patched.setattr(dropzone_settings, "LocalDropzone", Dying)
        with pytest.raises(Died):
            drain.drain(connection.pk)
    Lane.objects.update(leased_until=None)
    export.refresh_from_db()
    assert export.staged_path
    return export


def test_it_fails_and_its_order_goes_another_way(
    push: Push, connection: ERPConnection, folder: Path, organization: Organization
) -> None:
    export, waiting = push(), push()
    health.block(connection.pk, "The host key has changed.")
    withdrawn = withdraw_now(export)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.draft_order.status) == ("PENDING", "PUSHING")
    assert (withdrawn.status, withdrawn.cause) == ("FAILED", "WITHDRAWN")
    assert withdrawn.error_message == f"Withdrawn by Eva: {REASON}"
    assert withdrawn.settled_at is not None
    order = DraftOrder.objects.get(pk=export.draft_order_id)
    assert (order.status, order.error_message) == ("ERROR", withdrawn.error_message)
    event = export.events.get(kind="WITHDRAWN")
    assert (event.actor, event.message) == ("Eva", withdrawn.error_message)
    assert AuditEntry.objects.filter(actor="Eva", action="withdraw export", subject_id=str(export.pk)).count() == 1

    (folder / "new").mkdir()
    other = second_connection(organization)
    again = push_service.retry(PushRequest(order=order, actor="Eva", connection=other))
    health.release(connection.pk, actor="ina", cause="A test passed.")
    for each in (connection, other):
        drain.drain(each.pk)
    assert (names(folder / "in"), names(folder / "new")) == ([waiting.filename], [again.filename])


def test_webhooks_report_it_and_nobody_is_alerted(push: Push, organization: Organization) -> None:
    endpoint_service.create(
        WebhookEndpoint(organization=organization, name="Shop", url="https://127.0.0.1/x"), actor="admin"
    )
    withdraw_now(push())
    assert list(WebhookMessage.objects.values_list("type", flat=True)) == ["export.failed"]
    assert failure_groups.unmended(ERPExport.objects.all()).count() == 1
    assert not failure_groups.alerting(ERPExport.objects.all()).exists()


@pytest.mark.parametrize("status", ["SENT", "ACKED", "FAILED"])
def test_what_is_not_pending_is_not_withdrawn(push: Push, status: str) -> None:
    export = push()
    ERPExport.objects.update(status=status)
    with pytest.raises(PushRefused, match=f"is {status}; only a PENDING export can be withdrawn"):
        withdraw_now(export)
    assert ERPExport.objects.get().status == status


@pytest.mark.parametrize("column", ["handed_over_at", "unwitnessed_since", "undecided_since"])
def test_what_may_have_been_sent_is_not_withdrawn(push: Push, column: str) -> None:
    export = push()
    ERPExport.objects.update(**{column: timezone.now()})
    with pytest.raises(PushRefused) as refused:
        withdraw_now(export)
    assert refused.value.code == "not_withdrawable"
    export.refresh_from_db()
    assert (export.status, export.draft_order.status) == ("PENDING", "PUSHING")


def test_what_was_staged_is_not_withdrawn_and_goes_out_once(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = die_at_rename(push, connection, monkeypatch)
    with pytest.raises(PushRefused, match="the ERP may have it"):
        withdraw_now(export)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, names(folder / "in")) == ("SENT", [export.filename])


@pytest.mark.parametrize("in_place", [False, True], ids=["by rename", "in place"])
def test_a_worker_that_has_read_it_does_not_deliver_what_was_withdrawn_since(
    push: Push,
    connection: ERPConnection,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    in_place: bool,
) -> None:
    """Others of its batch go on."""
    if in_place:
        connection_service.save(connection, ConnectionChanges(config={"atomic_write": False}), actor="test")
    export, other = push(), push()
    sessions: list[str | Path] = []

    class Late(LocalDropzone):
        def __init__(self, root: str | Path, *, fence: Fence | None = None) -> None:
            super().__init__(root, fence=fence)
            sessions.append(root)
            if len(sessions) == 1:
                withdraw_now(export)

    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Late)
    drain.drain(connection.pk)
    export.refresh_from_db()
    other.refresh_from_db()
    assert (export.status, export.cause, export.tries, other.status) == ("FAILED", "WITHDRAWN", 0, "SENT")
    assert names(folder / "in") == [other.filename]


def test_a_worker_that_fails_over_it_does_not_plan_what_was_withdrawn_since(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = push()

    class Refusing(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            withdraw_now(export)
            return [RejectedError("The name is too long.") for _ in files]

    monkeypatch.setattr(dropzone_settings, "LocalDropzone", Refusing)
    drain.drain(connection.pk)
    export.refresh_from_db()
    assert (export.status, export.cause, export.tries) == ("FAILED", "WITHDRAWN", 0)


def test_what_was_written_in_place_by_a_worker_that_died_is_not_withdrawn(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a journal entry, nothing but this tells that a file of it may lie there."""
    connection_service.save(connection, ConnectionChanges(config={"atomic_write": False}), actor="test")
    export = push()

    class Dying(LocalDropzone):
        def write(self, files: Sequence[OutgoingFile]) -> list[ConnectorError | None]:
            super().write(files)
            raise Died

    with monkeypatch.context() as patched:
        patched.setattr(dropzone_settings, "LocalDropzone", Dying)
        with pytest.raises(Died):
            drain.drain(connection.pk)
    assert names(folder / "in") == [export.filename]
    with pytest.raises(PushRefused, match="the ERP may have it"):
        withdraw_now(export)


@pytest.mark.django_db(transaction=True)
def test_what_an_earlier_version_may_have_written_in_place_is_not_withdrawn(
    push: Push, connection: ERPConnection
) -> None:
    """It did not commit that before it wrote, so an export that was PENDING before the upgrade may have been sent."""
    earlier, withdrawn = push(), push()
    withdraw_now(withdrawn)
    try:
        call_command("migrate", "exports", "0016", verbosity=0)
    finally:
        call_command("migrate", verbosity=0)
    with pytest.raises(PushRefused, match="the ERP may have it"):
        withdraw_now(earlier)
    withdrawn.refresh_from_db()
    assert withdrawn.unwitnessed_since is None
    assert withdraw_now(push()).status == "FAILED"
    disable(connection)
    assert stop(earlier).undecided_since


@pytest.mark.django_db(transaction=True)
def test_of_a_worker_and_a_person_who_come_together_one_wins(
    push: Push, connection: ERPConnection, folder: Path
) -> None:
    """On connections of their own: it is delivered, or it is withdrawn."""
    for _ in range(10):
        export = push()
        calls = [partial(drain.drain, connection.pk), partial(_withdraw_if_possible, export)]
        at_once(partial(_call_one, calls), count=2)
        export.refresh_from_db()
        is_there = export.filename in names(folder / "in")
        assert (export.status, is_there) in [("SENT", True), ("FAILED", False)]
        order = DraftOrder.objects.get(pk=export.draft_order_id)
        assert order.status == ("PUSHED" if is_there else "ERROR")


def _call_one(calls: "list[partial[None]]") -> None:
    calls.pop()()


def _withdraw_if_possible(export: ERPExport) -> None:
    with suppress(PushRefused):
        withdraw_now(export)


@pytest.mark.skipif(database.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_journal_that_waits_for_a_withdrawal_publishes_nothing(
    push: Push, connection: ERPConnection, folder: Path
) -> None:
    export = push()

    def work() -> None:
        try:
            drain.drain(connection.pk)
        finally:
            connections.close_all()

    worker = threading.Thread(target=work)
    with transaction.atomic():
        withdraw_now(export)
        worker.start()
        while worker.is_alive() and not _waits_for_lock():
            worker.join(0.01)
        assert worker.is_alive()
    worker.join()
    export.refresh_from_db()
    assert (export.status, names(folder / "in")) == ("FAILED", [])


def _waits_for_lock() -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


def test_attempts_are_stopped_and_a_person_decides(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = die_at_rename(push, connection, monkeypatch)
    disable(connection)
    stopped = stop(export)
    assert (stopped.status, stopped.undecided_since is None) == ("PENDING", False)
    assert stopped.error_message.startswith(f"Stopped by Eva: {REASON}. An earlier attempt may have delivered")
    assert "mark this export as delivered or not delivered" in stopped.error_message
    assert stopped.events.get(kind="UNDECIDED").actor == "Eva"
    assert AuditEntry.objects.filter(actor="Eva", action="stop export").count() == 1

    connection_service.save(connection, ConnectionChanges(status=ERPConnection.Status.ACTIVE), actor="test")
    drain.drain(connection.pk)
    assert export.filename not in names(folder / "in")
    decided = resolve.decide(stopped, delivered=False, actor="Eva", reason="not there")
    assert (decided.status, decided.draft_order.status) == ("FAILED", "ERROR")


def test_attempts_that_can_still_find_out_are_not_stopped(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = die_at_rename(push, connection, monkeypatch)
    with pytest.raises(PushRefused, match="is in use: the next attempt finds out"):
        stop(export)
    health.block(connection.pk, "The folder is missing.")
    Lane.objects.update(leased_until=from_now(30))
    with pytest.raises(PushRefused, match="A worker is delivering") as refused:
        stop(export)
    assert refused.value.code == "still_running"
    export.refresh_from_db()
    assert export.undecided_since is None


def test_what_was_never_journaled_is_withdrawn_and_not_stopped(push: Push, connection: ERPConnection) -> None:
    export = push()
    disable(connection)
    with pytest.raises(PushRefused, match="Withdraw it"):
        stop(export)
    assert withdraw_now(export).status == "FAILED"


@pytest.mark.skipif(database.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_stopping_waits_for_no_worker_and_holds_none_up(
    push: Push, connection: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page has the export's row locked, and a worker the lane's: neither waits for the other."""
    export = die_at_rename(push, connection, monkeypatch)
    health.block(connection.pk, "The folder is missing.")
    refused: list[str] = []

    def page() -> None:
        try:
            with transaction.atomic():
                assert len(ERPExport.objects.locked([export.pk]))
                stop(export)
        except PushRefused as refusal:
            refused.append(refusal.code)
        finally:
            connections.close_all()

    with leases.holding(connection.pk, Lane.Kind.DELIVERY) as lease:
        assert lease
        with leases.held(lease):
            person = threading.Thread(target=page)
            person.start()
            person.join(20)
            assert refused == ["still_running"]


@pytest.fixture
def client(organization: Organization) -> Client:
    """As a browser: it sends what stands in the pages."""
    client = Client()
    client.force_login(make_user(organization, Role.OPS, "olga"))
    return client


def press(client: Client, export: ERPExport, action: str) -> str:
    """Press the page's button and enter a reason on the page that asks for it."""
    url = page_url(export, "do", action)
    button = form_in(client.get(page_url(export)).content.decode(), action=url)
    question = client.post(url, button.data()).content.decode()
    return _confirm(client, url, question)


def _confirm(client: Client, url: str, question: str) -> str:
    [form] = [form for form in forms_of(question) if "confirmed" in form.fields]
    return client.post(url, form.data(reason=REASON), follow=True).content.decode()


def test_the_page_withdraws_after_a_question(client: Client, push: Push) -> None:
    export = push()
    page = press(client, export, "withdraw")
    assert "1 export withdrawn." in page
    export.refresh_from_db()
    assert (export.status, export.error_message) == ("FAILED", f"Withdrawn by olga: {REASON}")
    assert page_url(export, "do", "withdraw") not in client.get(page_url(export)).content.decode()


def test_the_question_does_nothing_to_an_export_that_changed_while_it_was_read(
    client: Client, push: Push, connection: ERPConnection
) -> None:
    export, url = (row := push()), page_url(row, "do", "withdraw")
    question = client.post(url, form_in(client.get(page_url(export)).content.decode(), action=url).data())
    drain.drain(connection.pk)
    assert "Nothing was done" in _confirm(client, url, question.content.decode())
    export.refresh_from_db()
    assert export.status == "SENT"


def test_the_page_stops_what_was_staged_once_its_connection_is_out_of_use(
    client: Client, push: Push, connection: ERPConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = die_at_rename(push, connection, monkeypatch)
    page = client.get(page_url(export)).content.decode()
    assert page_url(export, "do", "withdraw") not in page
    assert page_url(export, "do", "stop_sending") not in page
    disable(connection)
    assert "1 export stopped." in press(client, export, "stop_sending")
    export.refresh_from_db()
    assert export.undecided_since


@pytest.mark.parametrize(("action", "status"), [("mark_delivered", "SENT"), ("mark_not_delivered", "FAILED")])
def test_a_decision_is_taken_in_a_browser(client: Client, push: Push, action: str, status: str) -> None:
    """The page that asks carries the version of the page before it, or nothing would ever be decided."""
    export = push()
    in_doubt.mark({export.pk: "The worker died."}, 0)
    press(client, export, action)
    export.refresh_from_db()
    assert export.status == status


@pytest.mark.parametrize(("action", "done"), [("withdraw", "withdrawn"), ("mark_not_delivered", "not delivered")])
def test_several_are_done_from_the_list_in_a_browser(client: Client, push: Push, action: str, done: str) -> None:
    exports = [push(), push()]
    if action != "withdraw":
        in_doubt.mark({export.pk: "The worker died." for export in exports}, 0)
    listed = form_in(client.get(list_url(ERPExport)).content.decode(), id="changelist-form")
    chosen = {"action": action, "_selected_action": [export.pk for export in exports]}
    question = client.post(list_url(ERPExport), {**listed.fields, **chosen}).content.decode()
    assert done in _confirm(client, list_url(ERPExport), question)
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"FAILED"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("from_list", [True, False], ids=["list", "page"])
def test_the_journal_outside_is_looked_at_once_and_before_anything_is_locked(
    client: Client, push: Push, monkeypatch: pytest.MonkeyPatch, *, from_list: bool
) -> None:
    """A storage that hangs must hold nobody up who waits for the exports' rows."""
    in_transaction: list[bool] = []
    look = guard.look

    def watched() -> bool:
        in_transaction.append(database.in_atomic_block)
        return look()

    monkeypatch.setattr(guard, "look", watched)
    exports = [push(), push()] if from_list else [push()]
    if from_list:
        listed = form_in(client.get(list_url(ERPExport)).content.decode(), id="changelist-form")
        chosen = {"action": "withdraw", "_selected_action": [export.pk for export in exports]}
        question = client.post(list_url(ERPExport), {**listed.fields, **chosen}).content.decode()
        _confirm(client, list_url(ERPExport), question)
    else:
        press(client, exports[0], "withdraw")
    assert set(ERPExport.objects.values_list("status", flat=True)) == {"FAILED"}
    assert in_transaction == [False]


def test_a_held_database_withdraws_nothing(push: Push) -> None:
    export = push()
    guard.hold("The database went back in time.")
    with pytest.raises(PushRefused, match="The database went back in time"):
        withdraw_now(export)
    export.refresh_from_db()
    assert export.status == "PENDING"


def test_a_viewer_is_offered_nothing(organization: Organization, push: Push) -> None:
    export = push()
    viewer = log_in(organization, Role.VIEWER)
    assert "Withdraw" not in viewer.get(page_url(export)).content.decode()
    assert viewer.post(page_url(export, "do", "withdraw"), {"confirmed": "yes", "reason": "x"}).status_code == 403


def test_an_export_that_waits_for_a_connection_out_of_use_names_its_way_out(
    client: Client, push: Push, connection: ERPConnection
) -> None:
    export = push()
    waits = f"The order waits for connection &#x27;{connection.name}&#x27;."
    assert waits not in client.get(page_url(export.draft_order)).content.decode()
    disable(connection)
    page = client.get(page_url(export)).content.decode()
    assert "It goes when the connection is enabled. If that will not happen, withdraw it" in page
    page = client.get(page_url(export.draft_order)).content.decode()
    assert waits in page
    assert page_url(export) in page
