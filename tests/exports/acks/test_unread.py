"""A17: what becomes of a file in the ack folder that is not read, from the first poll that sees it until it is gone."""

import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.exceptions import ConfigError, ConnectorError
from connectors.models import ERPConnection
from connectors.ports import Ack, AckEntry, AckInbox
from connectors.registry import registry
from connectors.types import file_batches
from exports import ack_poller
from exports.acks import unread as unread_acks
from exports.acks import unresolved as unresolved_acks
from exports.acks.folder_summary import TEMPORARY_S, WATCHED, FolderAccount
from exports.decisions import give_up
from exports.delivery import drain
from exports.incidents import items, messages
from exports.incidents.models import Incident
from exports.lanes import leases as lanes
from exports.models import AckFile, ERPExport, Lane
from tests.exports.conftest import Push, names
from tests.support.exports.inboxes import Denying, connector_with
from tests.support.tenants import list_url, log_in_superuser, page_url

ACKED = json.dumps({"status": "ACKED", "erp_order_id": "SO-1"})


@pytest.fixture
def acks(folder: Path) -> Path:
    return folder / "acks"


def poll(connection: ERPConnection, times: int = 1) -> None:
    for _ in range(times):
        ack_poller.poll(connection.pk)


def rows() -> list[tuple[str, str, bool]]:
    """Name, verdict, and whether the file is gone."""
    found = AckFile.objects.order_by("id").values_list("name", "verdict", "gone_at")
    return [(name, verdict, gone_at is not None) for name, verdict, gone_at in found]


def counts(connection: ERPConnection | None = None) -> dict[str, int]:
    lanes = Lane.objects.filter(kind="ACKS", **({"connection": connection} if connection else {}))
    folder: dict[str, Any] = lanes.get().folder or {}
    return dict(folder["counts"])


def later(seconds: float) -> None:
    """As if the polls so far had been that long ago."""
    lane = Lane.objects.get(kind="ACKS")
    folder: dict[str, Any] = lane.folder or {}
    for watched in folder["watched"].values():
        watched[2] -= seconds
    lane.save(update_fields=["folder"])


def overdue(export: ERPExport) -> ERPExport:
    ERPExport.objects.filter(pk=export.pk).update(answer_due_at=timezone.now() - timedelta(hours=1))
    export.refresh_from_db()
    return export


def test_a_file_that_is_not_read_has_one_row_that_says_why_and_what_to_do(
    sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    path = acks / f"ACK-{sent.filename}"
    path.write_text(ACKED)
    poll(connection, 3)
    row = AckFile.objects.get()
    assert (row.verdict, row.export, row.sha256, row.raw) == ("UNREAD", sent, "", "")
    assert row.reason == (
        f"Its name begins with neither ack_ nor error_. Have the ERP name it ack_{sent.filename}, or rename it: it is "
        "read then."
    )
    assert path.exists()
    path.rename(acks / f"ack_{sent.filename}")
    poll(connection)
    sent.refresh_from_db()
    assert sent.status == "ACKED"
    assert rows() == [(path.name, "UNREAD", True), (f"ack_{sent.filename}", "MATCHED", False)]
    assert counts() == {}


def test_a_file_that_changes_is_noticed_and_keeps_its_row(
    sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    path = acks / f"ack_{sent.filename}.txt"
    path.write_text("A")
    poll(connection)
    before = AckFile.objects.get()
    path.write_text("ACKED")
    poll(connection)
    after = AckFile.objects.get()
    assert (after.pk, after.size) == (before.pk, 5)
    assert after.seen_at > before.seen_at


def test_a_file_that_comes_back_has_the_row_of_before(sent: ERPExport, connection: ERPConnection, acks: Path) -> None:
    path = acks / f"ack_{sent.filename}.txt"
    for is_there in (True, False, True):
        if is_there:
            path.write_text(ACKED)
        else:
            path.unlink()
        poll(connection)
        assert rows() == [(path.name, "UNREAD", not is_there)]


def test_a_temporary_name_is_counted_until_it_has_stayed_for_its_time(
    sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    path = acks / f"ack_{sent.filename}.filepart"
    path.write_text(ACKED)
    poll(connection, 2)
    assert (rows(), counts()) == ([], {"temporary": 1})
    later(TEMPORARY_S - 60)
    poll(connection)
    assert (rows(), counts()) == ([], {"temporary": 1})
    later(61)
    poll(connection, 2)
    assert (rows(), counts()) == ([(path.name, "UNREAD", False)], {"unread": 1})
    assert "still ends in .filepart" in AckFile.objects.get().reason
    path.rename(path.with_suffix(""))
    poll(connection)
    sent.refresh_from_db()
    assert sent.status == "ACKED"


def test_a_temporary_file_that_grows_is_young(sent: ERPExport, connection: ERPConnection, acks: Path) -> None:
    path = acks / f"ack_{sent.filename}.tmp"
    for size in range(3):
        path.write_text("a" * size)
        poll(connection)
        later(TEMPORARY_S + 1)
    assert (rows(), counts()) == ([], {"temporary": 1})
    path.rename(acks / f"ack_{sent.filename}")
    poll(connection)
    assert rows() == [(f"ack_{sent.filename}", "INCOMPLETE", False)]


@pytest.mark.parametrize("wrong_by", [-3600, 3600], ids=["an hour ago", "in an hour"])
def test_the_time_of_a_file_alone_does_not_make_it_old(
    sent: ERPExport, connection: ERPConnection, acks: Path, wrong_by: float
) -> None:
    """A server's clock may be wrong; a file that two polls find as it is has the age that it claims."""
    path = acks / f"ack_{sent.filename}.tmp"
    path.write_text(ACKED)
    os.utime(path, (time.time() + wrong_by,) * 2)
    poll(connection)
    assert (rows(), counts()) == ([], {"temporary": 1})
    poll(connection)
    assert len(rows()) == (wrong_by < 0)


def test_more_temporary_files_than_are_watched_get_their_turn(
    push: Push, connection: ERPConnection, acks: Path
) -> None:
    export = push()
    for number in range(WATCHED + 5):
        (acks / f"{number}_{export.filename}.tmp").write_text(ACKED)
    poll(connection)
    assert (rows(), counts()) == ([], {"temporary": WATCHED + 5})
    for _ in range(2):
        later(TEMPORARY_S + 1)
        poll(connection)
    assert AckFile.objects.filter(verdict="UNREAD").count() == WATCHED + 5


def test_ten_thousand_files_of_others_cost_a_poll_no_statement_and_no_row(
    sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(database) as queries:
            poll(connection)
        return len(queries)

    poll(connection)
    alone = statements()
    for number in range(10_000):
        (acks / f"readme_{number}.txt").touch()
    for _ in range(2):
        assert statements() == alone
    (acks / sent.filename).write_bytes(b"x" * (sent.document_size or 0))
    # Whose the order file is has to be looked up.
    assert statements() == alone + 1
    assert (rows(), counts()) == ([], {"foreign": 10_001})


def test_the_files_that_are_left_are_found_by_their_index(connection: ERPConnection) -> None:
    """With the parameters apart, as the database gets them: SQLite takes a partial index for literals only."""
    found: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append((sql, params))
        return execute(sql, params, many, context)

    with database.execute_wrapper(note):
        assert unread_acks.logged(connection) == {}
    ((sql, params),) = found
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {'' if database.vendor == 'postgresql' else 'QUERY PLAN'} {sql}", params)
        assert "ack_unread" in str(cursor.fetchall())


def test_unread_files_that_stay_cost_a_poll_no_statement(push: Push, connection: ERPConnection, acks: Path) -> None:
    exports = [push() for _ in range(30)]
    poll(connection)
    found = []
    for count in (0, 3, 30):
        for export in exports[:count]:
            (acks / f"ack_{export.filename}.xml").write_text(ACKED)
        poll(connection)
        with CaptureQueriesContext(database) as queries:
            poll(connection)
        found.append(len(queries))
    assert found[0] == found[1] == found[2]
    assert AckFile.objects.count() == 30


def test_the_order_file_itself_is_no_ack_but_another_of_its_name_may_be(
    sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    moved = folder / "acks" / sent.filename
    (folder / "in" / sent.filename).rename(moved)
    poll(connection)
    assert (rows(), counts()) == ([], {"foreign": 1})
    moved.write_text(ACKED)
    poll(connection)
    assert (rows(), counts()) == ([(moved.name, "UNREAD", False)], {"unread": 1})


def test_in_a_folder_of_orders_and_acks_our_own_files_are_no_acks(
    push: Push, connection: ERPConnection, folder: Path
) -> None:
    connection_service.save(connection, ConnectionChanges(config={"ack_path": "in/"}), actor="test")
    exports = [push() for _ in range(4)]
    drain.drain(connection.pk)
    (folder / "in" / f"{exports[0].filename}.tmp").write_text("{")
    (folder / "in" / f"{exports[1].filename}.done").write_text("")
    (folder / "in" / f"ack_{exports[2].filename}").write_text(ACKED)
    poll(connection)
    assert rows() == [
        (f"ack_{exports[2].filename}", "MATCHED", False),
        (f"{exports[1].filename}.done", "UNREAD", False),
    ]
    assert counts() == {"foreign": 5, "unread": 1}


def test_a_file_of_another_connections_export_is_its_own_matter(
    sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    """A5."""
    other = ERPConnection(organization=connection.organization, connector_type="DROPZONE_JSON_V1")
    changes = ConnectionChanges(name="Other", config=connection.stored_config())
    other = connection_service.save(other, changes, actor="test")
    (acks / f"ack_{sent.filename}.ack").write_text(ACKED)
    poll(other)
    assert (rows(), counts(other)) == ([], {"foreign": 1})
    poll(connection)
    assert AckFile.objects.get().connection == connection


def test_folders_and_links_are_counted(sent: ERPExport, connection: ERPConnection, acks: Path) -> None:
    """A11."""
    for name in ("processed", "error", "old"):
        (acks / name).mkdir()
    (acks / f"ack_{sent.filename}").symlink_to(acks / "old")
    os.mkfifo(acks / f"error_{sent.filename}")
    poll(connection)
    assert (rows(), counts()) == ([], {"irregular": 3})


def test_a_half_written_ack_that_goes_away_waits_for_nobody(
    sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    """A2."""
    path = acks / f"ack_{sent.filename}"
    for begun in ("{", '{"', '{"s'):
        path.write_text(begun)
        poll(connection)
        assert unread_acks.waiting_for(ERPExport.objects.all()).get().name == path.name
    path.unlink()
    poll(connection)
    assert rows() == [(path.name, "INCOMPLETE", True)]
    assert not unread_acks.waiting_for(ERPExport.objects.all()).exists()
    path.write_text(ACKED)
    poll(connection)
    assert rows() == [(path.name, "MATCHED", False)]


def test_a_poll_that_sees_a_part_of_the_folder_says_nothing_of_the_rest(  # noqa: PLR0917
    push: Push, connection: ERPConnection, acks: Path, settings: Any, queue: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A14."""
    exports = [push() for _ in range(9)]
    unread = [acks / f"ack_{export.filename}.xml" for export in exports]
    for path in unread:
        path.write_text(ACKED)
    poll(connection)
    before = Lane.objects.get(kind="ACKS").folder
    for export, path in zip(exports, unread, strict=True):
        (acks / f"ack_{export.filename}").write_text(ACKED)
        path.unlink()
    settings.DELIVERY_SLICE_S = 0
    monkeypatch.setattr(file_batches, "BATCH", 2)
    poll(connection)
    assert Lane.objects.get(kind="ACKS").folder == before
    assert not AckFile.objects.filter(gone_at__isnull=False).exists()
    while queue:
        poll(connection)
        queue.pop()
    poll(connection)
    assert AckFile.objects.filter(verdict="UNREAD", gone_at__isnull=False).count() == 9
    assert counts() == {}


def test_a_poll_that_lost_its_lane_enters_nothing(sent: ERPExport, connection: ERPConnection, acks: Path) -> None:
    """A16."""
    (acks / f"ack_{sent.filename}.xml").write_text(ACKED)
    account = FolderAccount(connection, None)
    with registry.create(connection.connector_type).open_inbox(connection.runtime_config()) as inbox:  # type: ignore[attr-defined]
        assert list(account.sift(inbox.all_files())) == []
    with lanes.holding(connection.pk, Lane.Kind.ACKS) as lease:
        assert lease
        Lane.objects.update(token=lease.token + 1)
        with pytest.raises(lanes.LaneLost):
            account.enter(partial(lanes.held, lease))
    assert rows() == []


def test_an_ack_that_may_not_be_read_is_in_the_ack_log_until_it_is(
    sent: ERPExport, connection: ERPConnection, acks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A15."""
    path = acks / f"ack_{sent.filename}"
    path.write_text(ACKED)
    with connector_with(monkeypatch, lambda inbox: Denying(inbox, path.name)):
        for _ in range(2):
            with pytest.raises(ConfigError, match="permission denied"):
                poll(connection)
    row = AckFile.objects.get()
    assert (row.verdict, row.export, row.gone_at) == ("UNREAD", sent, None)
    assert "permission denied" in row.reason
    poll(connection)
    assert rows() == [(path.name, "MATCHED", False)]
    assert AckFile.objects.get().reason == ""


def test_an_ack_that_may_not_be_read_is_entered_once_and_stays_resolved(
    sent: ERPExport, connection: ERPConnection, acks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = acks / f"ack_{sent.filename}"
    path.write_text(ACKED)

    def denied_poll() -> AckFile:
        denying = connector_with(monkeypatch, lambda inbox: Denying(inbox, path.name))
        with denying, pytest.raises(ConfigError, match="permission denied"):
            poll(connection)
        return AckFile.objects.get()

    first = denied_poll()
    unresolved_acks.resolve(first, actor="ops")
    for _ in range(2):
        row = denied_poll()
        assert (row.verdict, row.resolved_by, row.seen_at, row.gone_at) == ("UNREAD", "ops", first.seen_at, None)
        assert row.resolved_at
        assert counts() == {"unread": 1}
    path.write_text(ACKED + " ")
    row = denied_poll()
    assert (row.resolved_at, row.resolved_by, row.seen_at > first.seen_at) == (None, "", True)


def test_a_half_written_ack_that_may_not_be_read_any_more_is_not_read(
    sent: ERPExport, connection: ERPConnection, acks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = acks / f"ack_{sent.filename}"
    path.write_text("{")
    poll(connection)
    assert rows() == [(path.name, "INCOMPLETE", False)]
    denying = connector_with(monkeypatch, lambda inbox: Denying(inbox, path.name))
    with denying, pytest.raises(ConfigError, match="permission denied"):
        poll(connection)
    assert rows() == [(path.name, "UNREAD", False)]


class Old:
    """An inbox as the port was before: of other files it says nothing."""

    def __init__(self, inbox: AckInbox) -> None:
        self._inbox = inbox

    def entries(self) -> Generator[AckEntry, None, None]:
        yield from self._inbox.entries()

    def read(self, entries: Sequence[AckEntry]) -> list[bytes | ConnectorError | None]:
        return self._inbox.read(entries)

    def parse(self, entry: AckEntry, raw: bytes) -> Ack:
        return self._inbox.parse(entry, raw)

    def archive(self, entries: Sequence[AckEntry], *, quarantine: bool = False) -> list[ConnectorError | None]:
        return self._inbox.archive(entries, quarantine=quarantine)


def test_an_inbox_without_the_capability_is_read_as_before(
    sent: ERPExport, connection: ERPConnection, acks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (acks / f"ack_{sent.filename}").write_text(ACKED)
    (acks / f"ack_{sent.filename}.xml").write_text(ACKED)
    with connector_with(monkeypatch, Old):
        poll(connection)
    assert (rows(), counts()) == ([(f"ack_{sent.filename}", "MATCHED", False)], {})
    assert names(acks) == [f"ack_{sent.filename}.xml", "processed"]


class Wrong(Old):
    """With something else among its files."""

    def all_files(self) -> Generator[Any, None, None]:
        yield from self._inbox.entries()
        yield "ack.txt"


def test_an_inbox_that_lists_anything_else_is_a_fault_that_people_see(
    sent: ERPExport, connection: ERPConnection, acks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connector_with(monkeypatch, Wrong), pytest.raises(ConfigError, match="failed unexpectedly with TypeError"):
        poll(connection)
    assert "failed unexpectedly" in Lane.objects.get(kind="ACKS").last_error


def _mail(connection: ERPConnection) -> str:
    incident, _ = Incident.objects.get_or_create(
        organization=connection.organization,
        connection=connection,
        kind="OVERDUE",
        defaults={"opened_at": timezone.now()},
    )
    return messages.opening(incident, items.untold(incident)).body


@pytest.fixture
def admin(db: None) -> Client:
    return log_in_superuser()


def _page(client: Client, row: ERPExport | AckFile | ERPConnection) -> str:
    return client.get(page_url(row)).content.decode()


@pytest.mark.parametrize(
    ("name", "body", "polls"),
    [("ack_{}.xml", ACKED, 1), ("ack_{}", "nonsense", 2), ("ack_{}", "{", 1)],
    ids=["not read", "malformed", "incomplete"],
)
def test_nobody_is_advised_to_send_an_order_again_that_an_unread_file_names(  # noqa: PLR0917
    name: str, body: str, polls: int, sent: ERPExport, connection: ERPConnection, acks: Path, admin: Client
) -> None:
    overdue(sent)
    poll(connection)
    assert "whether these orders arrived" in _mail(connection)
    assert "No acknowledgement came in time" in _page(admin, sent)
    path = acks / name.format(sent.filename)
    path.write_text(body)
    poll(connection, polls)
    for text in (_mail(connection), _page(admin, sent)):
        assert f"The ERP has written {path.name}, which could not be read." in text
        assert "whether these orders arrived" not in text
        assert "No acknowledgement came in time" not in text
    url = page_url(sent, "do", "give_up")
    assert f"The ERP has written {path.name}" in admin.post(url).content.decode()
    page = admin.post(url, {"reason": "Phone", "confirmed": "yes"}, follow=True).content.decode()
    assert "look before you retry" in page
    assert f"The ERP has written {path.name}" in page


def test_an_unread_file_of_another_export_changes_no_advice(
    push: Push, sent: ERPExport, connection: ERPConnection, acks: Path
) -> None:
    other = push()
    drain.drain(connection.pk)
    overdue(sent)
    (acks / f"ack_{other.filename}.xml").write_text(ACKED)
    poll(connection)
    assert "whether these orders arrived" in _mail(connection)
    assert unread_acks.advice(ERPExport.objects.filter(pk=other.pk))
    give_up.give_up(other, actor="Eva", reason="Phone")
    assert unread_acks.advice(ERPExport.objects.filter(pk=other.pk, status="SENT")) == ""


def test_many_unread_files_are_named_in_one_short_sentence(push: Push, connection: ERPConnection, acks: Path) -> None:
    export = push()
    for number in range(7):
        (acks / f"{number}_{export.filename}").write_text(ACKED)
    poll(connection)
    told = unread_acks.named(unread_acks.waiting_for(ERPExport.objects.all()))
    assert told == ", ".join(f"{number}_{export.filename}" for number in range(3)) + " and 4 more"


def test_the_pages_show_what_was_counted_and_what_a_row_means(
    sent: ERPExport, connection: ERPConnection, acks: Path, admin: Client
) -> None:
    assert "Besides acknowledgements" not in _page(admin, connection)
    path = acks / f"ack_{sent.filename}.xml"
    path.write_text(ACKED)
    for name in ("readme.txt", "order.pdf", f"ack_{sent.filename}.tmp"):
        (acks / name).write_text("x")
    poll(connection)
    page = _page(admin, connection)
    for text in ("Besides acknowledgements", "1 not read though", "2 that are no ack", "1 with temporary names"):
        assert text in page
    row = AckFile.objects.get()
    assert "Do not send the order again" in _page(admin, row)
    path.unlink()
    poll(connection)
    assert "Do not send the order again" not in _page(admin, row)
    assert "It was renamed, moved or removed" in _page(admin, row)


def test_whoever_decides_about_an_order_in_doubt_sees_the_unread_file_that_names_it(
    push: Push, connection: ERPConnection, acks: Path, admin: Client
) -> None:
    export = push()
    ERPExport.objects.filter(pk=export.pk).update(undecided_since=timezone.now())
    url = page_url(export, "do", "mark_not_delivered")
    assert "The ERP has written" not in admin.post(url).content.decode()
    path = acks / f"ack_{export.filename}.xml"
    path.write_text(ACKED)
    poll(connection)
    assert f"The ERP has written {path.name}" in admin.post(url).content.decode()


def test_an_unread_file_is_found_by_its_name_and_so_is_its_export(
    sent: ERPExport, connection: ERPConnection, acks: Path, admin: Client
) -> None:
    path = acks / f"ACK-{sent.filename.upper()}.XML"
    path.write_text(ACKED)
    poll(connection)
    for row in (AckFile.objects.get(), sent):
        for term in (path.name, sent.filename):
            page = admin.get(list_url(type(row)), {"q": term}).content.decode()
            assert page_url(row) in page, term
