"""Acknowledgement files that need a person: an incident at once, open until someone resolves them or they resolve
themselves."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.exceptions import ConfigError
from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.models import ERPConnection
from connectors.registry import registry
from exports import ack_poller, push_service
from exports.acks import unresolved as unresolved_acks
from exports.acks.unresolved import NotOpen
from exports.decisions import give_up
from exports.delivery import drain
from exports.incidents import detector
from exports.incidents.detectors import components
from exports.incidents.models import Incident, Recipient
from exports.incidents.tasks import watch
from exports.models import AckFile, ERPExport, Verdict
from exports.push_service import PushRequest
from orderflow.tenancy.models import AuditEntry, Organization
from orderflow.tenancy.roles import Role
from tests.exports.conftest import Push
from tests.exports.incidents.conftest import digest_time
from tests.servers.smtp import Mailbox
from tests.support.exports.inboxes import Denying, connector_with
from tests.support.tenants import list_url, log_in, page_url, versions

pytestmark = pytest.mark.usefixtures("judged_at_once")

ABOUT = "[OrderFlow] Acme, Folder: "
Answer = Callable[..., Path]


@pytest.fixture
def answer(folder: Path, connection: ERPConnection) -> Answer:
    """Write an ack for the export as the ERP does; without `body`, a truncated one."""

    def answer(export: ERPExport, *, prefix: str = "ack", **body: str) -> Path:
        text = json.dumps({**body, "processed_at": "2026-11-23T10:01:00Z"}) if body else '{"status": "FAIL'
        path = folder / "acks" / f"{prefix}_{export.filename}"
        path.write_text(text)
        return path

    return answer


def poll(connection: ERPConnection) -> None:
    """Until what cannot be read has stayed the same."""
    for _ in range(3):
        ack_poller.poll(connection.pk)


def open_files() -> list[str]:
    return [ack.name for ack in unresolved_acks.open_ones(AckFile.objects.order_by("name"))]


def open_kinds() -> list[str]:
    return list(Incident.objects.filter(closed_at=None).values_list("kind", flat=True))


def dashboard(organization: Organization) -> str:
    return log_in(organization, Role.OPS).get("/admin/").content.decode()


def in_progress(push: Push, connection: ERPConnection, count: int) -> list[ERPExport]:
    exports = [push() for _ in range(count)]
    drain.drain(connection.pk)
    return exports


@pytest.mark.usefixtures("recipient")
def test_unreadable_acks_are_told_at_once_and_until_they_are_resolved(
    mailbox: Mailbox, push: Push, connection: ERPConnection, answer: Answer, organization: Organization
) -> None:
    """A4."""
    exports = in_progress(push, connection, 10)
    for export in exports:
        answer(export, prefix="error")
    poll(connection)
    for _ in range(3):
        watch()
        digest_time()
    assert mailbox.subjects == [f"{ABOUT}acknowledgements to check: 10"]
    text = mailbox.mails[0].get_content()
    assert all(f"error_{export.filename} (order {export.draft_order}): Malformed." in text for export in exports)
    page = dashboard(organization)
    assert "10 unreadable acknowledgements" in page
    assert "nothing else is open" not in page
    client = log_in(organization, Role.OPS)
    found = client.get(f"{list_url(AckFile)}?open=to_check").content.decode()
    acks = list(AckFile.objects.all())
    assert all(page_url(ack) in found for ack in acks)
    chosen = {"action": "resolve", "_selected_action": [str(ack.pk) for ack in acks]}
    assert (
        "10 acknowledgement files marked as resolved"
        in client.post(list_url(AckFile), chosen, follow=True).content.decode()
    )
    watch()
    assert mailbox.subjects[1:] == [f"{ABOUT}resolved: acknowledgements to check"]
    assert "unreadable acknowledgements" not in dashboard(organization)
    assert AckFile.objects.filter(resolved_by="ops@acme").count() == 10
    assert AuditEntry.objects.filter(action="resolve ack file", actor="ops@acme").count() == 10


def test_a_file_that_could_not_be_read_resolves_itself_once_the_erp_writes_it_again(
    push: Push, connection: ERPConnection, answer: Answer
) -> None:
    damaged, waiting = in_progress(push, connection, 2)
    for export in (damaged, waiting):
        answer(export)
    poll(connection)
    watch()
    assert len(open_files()) == 2
    answer(damaged, status="ACKED", erp_order_id="SO-1")
    poll(connection)
    watch()
    assert open_files() == [f"ack_{waiting.filename}"]
    assert open_kinds() == ["ACKS"]
    # Under the other name too.
    answer(waiting, prefix="error", status="FAILED", error_code="X", message="No.")
    poll(connection)
    watch()
    assert open_files() == []
    assert open_kinds() == ["FAILING"]
    assert set(AckFile.objects.filter(verdict="MALFORMED").values_list("resolved_by", flat=True)) == {""}


@pytest.mark.usefixtures("recipient")
@pytest.mark.parametrize(
    ("resolved", "body", "verdict"),
    [
        ("by a person", {"status": "ACKED", "erp_order_id": "SO-1"}, "CONFLICT"),
        ("by a person", {}, "MALFORMED"),
        ("by itself", {"status": "ACKED", "erp_order_id": "SO-1"}, "CONFLICT"),
        ("never", {"status": "ACKED", "erp_order_id": "SO-1"}, "CONFLICT"),
        ("never", {}, "MALFORMED"),
    ],
)
def test_a_file_that_can_be_read_after_it_was_resolved_or_told_is_open_and_told_again(  # noqa: PLR0917
    resolved: str,
    body: dict[str, str],
    verdict: str,
    mailbox: Mailbox,
    push: Push,
    connection: ERPConnection,
    answer: Answer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export, other = in_progress(push, connection, 2)
    answer(other, prefix="error")
    denied = answer(export, **body).name
    with connector_with(monkeypatch, lambda inbox: Denying(inbox, denied)):
        for _ in range(3):
            with pytest.raises(ConfigError, match="permission denied"):
                ack_poller.poll(connection.pk)
        watch()
        assert f"{denied} (order {export.draft_order}): Not read." in mailbox.mails[0].get_content()
        if resolved == "by a person":
            unresolved_acks.resolve(AckFile.objects.get(name=denied), actor="ops")
        if verdict == "CONFLICT":
            answer(export, prefix="error", status="FAILED", error_code="X", message="No.")
            with pytest.raises(ConfigError, match="permission denied"):
                ack_poller.poll(connection.pk)
        if resolved == "by itself":
            watch()
    was_open = denied in open_files()
    assert was_open == (resolved == "never")
    poll(connection)
    row = AckFile.objects.get(name=denied)
    assert (row.verdict, row.resolved_at, row.resolved_by) == (verdict, None, "")
    assert denied in open_files()
    for _ in range(2):
        digest_time()
        watch()
    (told,) = [mail.get_content() for mail in mailbox.mails if f"{ABOUT}more acknowledgements" in mail["subject"]]
    assert f"{denied} (order {export.draft_order}): {row.get_verdict_display()}. " in told
    assert other.filename not in told


def test_giving_up_an_export_does_not_resolve_the_ack_that_nobody_has_read(
    push: Push, connection: ERPConnection, answer: Answer
) -> None:
    """It may say that the ERP has the order."""
    (export,) = in_progress(push, connection, 1)
    answer(export)
    poll(connection)
    give_up.give_up(ERPExport.objects.get(), actor="ops", reason="nothing came")
    watch()
    assert open_files() == [f"ack_{export.filename}"]


def test_contradicting_late_and_orphaned_acks_stay_open(
    push: Push, connection: ERPConnection, answer: Answer, folder: Path, organization: Organization
) -> None:
    contradicted, superseded = in_progress(push, connection, 2)
    for export in (contradicted, superseded):
        answer(export, prefix="error", status="FAILED", error_code="X", message="No.")
    poll(connection)
    superseded.refresh_from_db()
    superseded.draft_order.refresh_from_db()
    push_service.retry(PushRequest(order=superseded.draft_order, actor="ops", connection=connection))
    for export in (contradicted, superseded):
        answer(export, status="ACKED", erp_order_id="SO-1")
    (folder / "acks" / "ack_sales_order_of_nobody.json").write_text("{}")
    poll(connection)
    for _ in range(3):
        watch()
    verdicts = set(unresolved_acks.open_ones(AckFile.objects.all()).values_list("verdict", flat=True))
    assert verdicts == {Verdict.CONFLICT, Verdict.LATE, Verdict.ORPHAN}
    page = dashboard(organization)
    for adjective in ("conflicting", "late", "orphaned"):
        assert f"1 {adjective}" in page


@pytest.fixture
def neighbour(connection: ERPConnection) -> ERPConnection:
    """A connection that shares the folders of `connection`."""
    config = {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
    row = ERPConnection(organization=connection.organization, connector_type="DROPZONE_JSON_V1")
    return connection_service.save(row, ConnectionChanges(name="Other", config=config), actor="test")


@pytest.mark.parametrize(
    "name",
    [
        "ack_{x}.json",
        "error_{x}.json",
        "ack_{x}.json.json",
        "ACK_{X}.JSON",
        "Error_{x}.json",
        "ack_{x} (1).json",
        "ack_{x}.json (1).json",
    ],
)
def test_an_orphan_of_another_connection_resolves_itself(
    name: str, push: Push, connection: ERPConnection, neighbour: ERPConnection, folder: Path
) -> None:
    """Two connections that share a folder see each other's acks."""
    (export,) = in_progress(push, connection, 1)
    stem = export.filename.removesuffix(".json")
    for each in (stem, stem[:-1] + "0" if stem[-1] != "0" else stem[:-1] + "1"):
        (folder / "acks" / name.format(x=each, X=each.upper())).write_text('{"status": "ACKED"}')
    poll(neighbour)
    assert set(AckFile.objects.values_list("verdict", flat=True)) == {Verdict.ORPHAN}
    watch()
    assert len(open_files()) == 1
    assert stem.lower() not in open_files()[0].lower()


def test_an_orphan_is_a_neighbours_if_the_connector_that_found_it_reads_its_name_so(
    push: Push, connection: ERPConnection, neighbour: ERPConnection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ByEnding(DropzoneJsonV1Connector):
        """An ack is named like the export, with .ok after it."""

        broken = False

        def answered_export(self, name: str) -> str | None:
            if self.broken:
                raise KeyError(name)
            return name.removesuffix(".ok") if name.endswith(".ok") else None

    monkeypatch.setitem(registry._connectors, "BY_ENDING", ByEnding)
    ERPConnection.objects.filter(pk=neighbour.pk).update(connector_type="BY_ENDING")
    (export,) = in_progress(push, connection, 1)
    path = folder / "acks" / f"{export.filename}.ok"
    path.write_text("SO-1")
    poll(neighbour)
    monkeypatch.setattr(ByEnding, "broken", True)
    watch()
    assert open_files() == [path.name]
    monkeypatch.setattr(ByEnding, "broken", False)
    watch()
    assert open_files() == []


def test_the_button_of_the_incident_resolves_all_its_files(
    mailbox: Mailbox, recipient: Recipient, push: Push, connection: ERPConnection, answer: Answer
) -> None:
    for export in in_progress(push, connection, 3):
        answer(export)
    poll(connection)
    watch()
    incident = Incident.objects.get()
    client = log_in(connection.organization, Role.OPS)
    assert "Mark all 3 files as resolved" in client.get(page_url(incident)).content.decode()
    client.post(page_url(incident, "do", "resolve"))
    incident.refresh_from_db()
    assert (incident.resolved_by, open_files()) == ("ops@acme", [])
    for _ in range(2):
        watch()
    assert open_kinds() == []
    assert "Resolved by ops@acme at " in mailbox.mails[1].get_content()
    assert AuditEntry.objects.filter(action="resolve incident").count() == 1


@pytest.mark.parametrize("way", ["page", "list"])
@pytest.mark.parametrize("news", ["another file", "another verdict"])
def test_the_button_resolves_no_file_that_came_after_its_page(  # noqa: PLR0917
    news: str,
    way: str,
    push: Push,
    connection: ERPConnection,
    answer: Answer,
    organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settled, damaged = in_progress(push, connection, 2)
    answer(settled, prefix="error", status="FAILED", error_code="X", message="No.")
    poll(connection)
    first = answer(damaged).name
    denied = answer(settled, status="ACKED", erp_order_id="SO-1").name if news == "another verdict" else ""
    with connector_with(monkeypatch, lambda inbox: Denying(inbox, denied)):
        for _ in range(3):
            with suppress(ConfigError):
                ack_poller.poll(connection.pk)
    watch()
    incident = Incident.objects.get(kind="ACKS")
    client = log_in(organization, Role.OPS)
    url, values = page_url(incident, "do", "resolve"), {}
    if way == "list":
        url, values = list_url(Incident), {"action": "resolve", "_selected_action": [str(incident.pk)]}
    loaded = versions(url, values)
    conflict = denied or answer(settled, status="ACKED", erp_order_id="SO-1").name
    poll(connection)
    assert AckFile.objects.get(name=conflict).verdict == "CONFLICT"
    page = client.post(url, {**values, **loaded}, follow=True).content.decode()
    # A list shows no files, so it resolves none.
    assert ("changed since" if way == "page" else "open it and look at its files") in page
    incident.refresh_from_db()
    assert (incident.closed_at, open_files()) == (None, sorted([first, conflict]))
    assert "2 files" in client.get(page_url(incident)).content.decode()
    # From a page that shows both; what contradicts an earlier file is decided on its own page.
    done = client.post(page_url(incident, "do", "resolve"), follow=True).content.decode()
    assert "1 file marked as resolved. 1 file contradicts another one: decide it on its page." in done
    incident.refresh_from_db()
    assert (incident.closed_at, open_files()) == (None, [conflict])
    assert not settled.events.filter(kind="DECIDED").exists()
    assert page_url(incident, "do", "resolve") not in client.get(page_url(incident)).content.decode()
    with pytest.raises(detector.NotResolvable, match="decide it on its page"):
        detector.resolve(incident, actor="ops")


def test_a_file_is_resolved_once(push: Push, connection: ERPConnection, answer: Answer) -> None:
    read, damaged = in_progress(push, connection, 2)
    answer(read, status="ACKED", erp_order_id="SO-1")
    answer(damaged)
    poll(connection)
    acks = {ack.verdict: ack for ack in AckFile.objects.all()}
    unresolved_acks.resolve(acks["MALFORMED"], actor="ops")
    for ack in acks.values():
        with pytest.raises(NotOpen):
            unresolved_acks.resolve(ack, actor="late")
    assert AuditEntry.objects.filter(action="resolve ack file").count() == 1


def test_incidents_whose_cause_must_end_are_not_resolved_by_hand(connection: ERPConnection) -> None:
    kinds = [kind for kind in Incident.Kind if kind not in ("ACKS", *components.RESOLVABLE)]
    for kind in kinds:
        incident = Incident.objects.create(
            organization=connection.organization, connection=connection, kind=kind, opened_at=timezone.now()
        )
        with pytest.raises(detector.NotResolvable):
            detector.resolve(incident, actor="ops")
    assert Incident.objects.filter(closed_at=None).count() == len(kinds)


def test_the_upgrade_leaves_recent_files_open(connection: ERPConnection) -> None:
    for days, verdict in ((800, "MALFORMED"), (15, "ORPHAN"), (13, "CONFLICT"), (800, "MATCHED")):
        AckFile.objects.create(
            organization=connection.organization, connection=connection, name=f"{days}-{verdict}", size=1,
            modified_at=0, verdict=verdict, seen_at=timezone.now() - timedelta(days=days),
        )  # fmt: skip
    import_module("exports.migrations.0015_acks_resolved").resolve_old(apps, None)
    assert open_files() == ["13-CONFLICT"]
    assert AckFile.objects.get(verdict="MATCHED").resolved_at is None
    assert AckFile.objects.filter(resolved_by="upgrade").count() == 2
