"""An edit that leaves acknowledgements unread has to be confirmed, and what it left is shown until nothing waits."""

import json
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.ack_places import AcksAwaited
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import ack_poller
from exports.acks import reading_obstacles
from exports.delivery import drain
from exports.models import ERPExport
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import ApiAs
from tests.connectors.admin.test_connections import config_form
from tests.exports.conftest import Push, connect_to
from tests.servers.sftp.asyncssh_server import asyncssh_server
from tests.support.tenants import log_in, page_url

BOX = "Change it although acknowledgements are awaited"


def save(connection: ERPConnection, *, leave_acks: bool = False, **config: object) -> None:
    connection_service.save(connection, ConnectionChanges(config=config, leave_acks=leave_acks), actor="ina")


def place(folder: Path, name: str) -> str:
    return f"file://{folder}/{name}"


@pytest.mark.parametrize("path", ["elsewhere", ""])
def test_an_edit_that_would_strand_acks_is_rejected(
    path: str, sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    revision = ERPConnection.objects.get().revision
    with pytest.raises(
        AcksAwaited, match=f"1 order waits for its acknowledgement in {place(folder, 'acks')}"
    ) as caught:
        save(connection, ack_path=path)
    assert (caught.value.field, caught.value.count) == ("ack_path", 1)
    stored = ERPConnection.objects.get()
    assert (stored.stored_config()["ack_path"], stored.revision) == ("acks", revision)
    save(connection, ack_path=path, leave_acks=True)
    assert ERPConnection.objects.get().stored_config()["ack_path"] == path


@pytest.mark.parametrize("edit", [{"export_path": "acks"}, {"ack_timeout_h": 5}, {"temp_name": "tmp_{name}"}])
def test_other_edits_need_no_confirmation(edit: dict[str, Any], sent: ERPExport, connection: ERPConnection) -> None:
    save(connection, **edit)
    assert not sent.events.filter(kind="ACKS_LEFT").exists()


def test_nothing_is_asked_while_nothing_waits(push: Push, connection: ERPConnection, folder: Path) -> None:
    push()
    save(connection, ack_path="elsewhere")
    (folder / "elsewhere").mkdir()
    drain.drain(connection.pk)
    export = ERPExport.objects.get()
    (folder / "elsewhere" / f"ack_{export.filename}").write_text(json.dumps({"status": "ACKED"}))
    ack_poller.poll(connection.pk)
    save(connection, ack_path="acks")
    assert not reading_obstacles.stranded(ERPConnection.objects.get()).exists()


@pytest.mark.parametrize("edit", ["host", "username", "mode", "ack_path"])
def test_each_field_that_moves_the_place_is_one_of_them(
    edit: str, push: Push, organization: Organization, dropzone_root: Path, tmp_path: Path
) -> None:
    with asyncssh_server(tmp_path / "sftp") as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir()
        connection = connect_to(server, organization)
        export = push()
        ERPExport.objects.filter(pk=export.pk).update(connection=connection)
        drain.drain(connection.pk)
        assert ERPExport.objects.get().status == "SENT"
        values = {"host": "localhost", "username": "other", "mode": "filesystem", "ack_path": "elsewhere"}
        changes = ConnectionChanges(config={"password": server.password, edit: values[edit]})
        with pytest.raises(AcksAwaited, match=f"sftp://{server.username}@{server.host}:{server.port}/acks"):
            connection_service.save(connection, changes, actor="ina")


def test_what_was_left_is_on_every_page_until_it_is_read(
    sent: ERPExport, connection: ERPConnection, folder: Path, organization: Organization
) -> None:
    ERPExport.objects.update(answer_due_at=timezone.now())
    save(connection, ack_path="elsewhere", leave_acks=True)
    (folder / "elsewhere").mkdir()
    event = sent.events.get(kind="ACKS_LEFT")
    former = place(folder, "acks")
    assert (event.actor, event.detail) == ("ina", {"ack_place": former})
    client = log_in(organization, Role.OPS)
    page = unescape(client.get(page_url(connection)).content.decode())
    assert f"1 sent order waits for an acknowledgement in {former}." in page
    assert f"The acknowledgement was expected in {former}." in unescape(client.get(page_url(sent)).content.decode())
    (folder / "acks" / f"ack_{sent.filename}").write_text(json.dumps({"status": "ACKED"}))
    ack_poller.poll(connection.pk)
    assert ERPExport.objects.get().status == "SENT"
    # As the page advises.
    save(ERPConnection.objects.get(), ack_path="acks", leave_acks=True)
    assert "waits for an acknowledgement" not in client.get(page_url(connection)).content.decode()
    ack_poller.poll(connection.pk)
    assert ERPExport.objects.get().status == "ACKED"


def test_the_first_place_is_the_one_that_counts(sent: ERPExport, connection: ERPConnection, folder: Path) -> None:
    """It is edited twice: the ERP still answers where it was first."""
    for path in ("second", "third"):
        save(ERPConnection.objects.get(), ack_path=path, leave_acks=True)
    assert [event.detail["ack_place"] for event in sent.events.filter(kind="ACKS_LEFT")] == [place(folder, "acks")]
    assert reading_obstacles.stranded(ERPConnection.objects.get()).count() == 1


def test_what_is_sent_after_the_edit_is_not_among_them(
    sent: ERPExport, push: Push, connection: ERPConnection, folder: Path
) -> None:
    save(connection, ack_path="elsewhere", leave_acks=True)
    push()
    drain.drain(connection.pk)
    assert list(reading_obstacles.stranded(ERPConnection.objects.get())) == [sent]


@pytest.mark.parametrize("column", ["staged_path", "unwitnessed_since", "handed_over_at", "undecided_since"])
def test_what_may_be_at_the_erp_before_it_is_recorded_as_sent_is_left_too(
    column: str, push: Push, connection: ERPConnection, folder: Path
) -> None:
    """The ERP may have it, and answers where it was put; the next attempt records it as sent."""
    begun, untouched = push(), push()
    value = f"{place(folder, 'in')}/x.tmp" if column == "staged_path" else timezone.now()
    ERPExport.objects.filter(pk=begun.pk).update(**{column: value})
    with pytest.raises(AcksAwaited, match="1 order waits for its acknowledgement"):
        save(connection, ack_path="elsewhere")
    save(connection, ack_path="elsewhere", leave_acks=True)
    assert begun.events.get(kind="ACKS_LEFT").detail == {"ack_place": place(folder, "acks")}
    assert not untouched.events.filter(kind="ACKS_LEFT").exists()
    assert not reading_obstacles.stranded(ERPConnection.objects.get()).exists()
    ERPExport.objects.filter(pk=begun.pk).update(
        status="SENT", undecided_since=None, answer_due_at=timezone.now(), sent_at=timezone.now()
    )
    assert list(reading_obstacles.stranded(ERPConnection.objects.get())) == [begun]


def test_the_form_asks_and_saves_once_the_box_is_ticked(
    sent: ERPExport, connection: ERPConnection, folder: Path, organization: Organization
) -> None:
    client = log_in(organization, Role.INTEGRATOR)
    assert BOX not in client.get(page_url(connection)).content.decode()
    entered = config_form(name="Folder", is_default="on", config_ack_path="elsewhere")
    page = unescape(client.post(page_url(connection), entered).content.decode())
    assert f"1 order waits for its acknowledgement in {place(folder, 'acks')}" in page
    assert BOX in page
    assert ERPConnection.objects.get().stored_config()["ack_path"] == "acks"
    response = client.post(page_url(connection), {**entered, "leave_acks": "on"})
    assert response.status_code == 302
    assert ERPConnection.objects.get().stored_config()["ack_path"] == "elsewhere"
    assert sent.events.get(kind="ACKS_LEFT").actor == "integrator@acme"


def test_a_test_of_what_stands_in_the_form_asks_nothing(
    sent: ERPExport, connection: ERPConnection, folder: Path, organization: Organization
) -> None:
    client = log_in(organization, Role.INTEGRATOR)
    entered = config_form(name="Folder", is_default="on", config_ack_path="elsewhere")
    page = client.post(page_url(connection, "test"), entered).content.decode()
    assert "waits for its acknowledgement" not in page
    assert connection.tests.get().has_edits


def test_the_api_asks_and_takes_a_confirmation(
    sent: ERPExport, connection: ERPConnection, folder: Path, api_as: ApiAs
) -> None:
    api, url = api_as(Role.INTEGRATOR), f"/api/v1/erp-connections/{connection.pk}/"
    answer = api.patch(url, {"config": {"ack_path": "elsewhere"}}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "acks_awaited")
    assert place(folder, "acks") in answer.json()["detail"]
    assert "leave_acks" in answer.json()["detail"]
    answer = api.patch(url, {"config": {"ack_path": "elsewhere"}, "leave_acks": True}, format="json")
    assert (answer.status_code, answer.json()["config"]["ack_path"]) == (200, "elsewhere")
    assert sent.events.filter(kind="ACKS_LEFT").exists()
    new = {"name": "New", "connector_type": "DROPZONE_JSON_V1", "config": {}, "leave_acks": True}
    assert api.post("/api/v1/erp-connections/", new, format="json").status_code == 422


def test_a_config_that_nobody_can_read_is_entered_without_a_question(
    sent: ERPExport, connection: ERPConnection, client: Client
) -> None:
    """Nothing is read with it anyway."""
    ERPConnection.objects.update(config_encrypted=b"nothing")
    stored = ERPConnection.objects.get()
    save(stored, mode="filesystem", export_path="in", ack_path="elsewhere")
    assert ERPConnection.objects.get().stored_config()["ack_path"] == "elsewhere"
