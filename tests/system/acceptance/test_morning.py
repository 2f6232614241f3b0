"""The operator at 8:00: what went wrong overnight is on the dashboard and in the mailbox until it is fixed."""

import html
import http.cookiejar
import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.servers.sftp.openssh import OpenSSHServer, openssh_server
from tests.servers.smtp import Mailbox, smtp_server
from tests.support.installation import PASSWORD, Installation, eventually, installed
from tests.system.acceptance.orders import ORDER
from tests.system.acceptance.people import RECIPIENT

# Between an event and its first e-mail.
TOLD_WITHIN_S = 120
ABOUT = "[OrderFlow] Acme, ERP: "
NOW = "2026-11-23T10:01:00Z"

LATE = """
from datetime import timedelta
from django.utils import timezone
from exports.models import ERPExport
ERPExport.objects.filter(pk="{}").update(answer_due_at=timezone.now() - timedelta(hours=1))
"""
POLLED = """
from exports.models import Lane
print("polled" if Lane.objects.filter(kind="ACKS", leased_until=None, last_run_at__isnull=False).exists() else "")
"""
LAST_FRIDAY = """
from datetime import timedelta
from django.utils import timezone
from exports.models import ERPExport
past = timezone.now() - timedelta(days=3)
ERPExport.objects.filter(pk="{}").update(created_at=past, sent_at=past, settled_at=past)
"""


@dataclass(kw_only=True)
class Morning:
    installation: Installation
    sshd: OpenSSHServer
    mailbox: Mailbox

    def push(self, number: str) -> str:
        """The export's id."""
        order = self.installation.post("draft-orders/", {**ORDER, "external_order_number": number})
        self.installation.post(f"draft-orders/{order['id']}/approve/")
        return str(self.installation.post(f"draft-orders/{order['id']}/push/")["erp_export_id"])

    def export(self, export_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.installation.get(f"exports/{export_id}/")
        return found

    def reaches(self, status: str, *export_ids: str, within_s: float = 60) -> None:
        for export_id in export_ids:
            eventually(
                lambda export_id=export_id: self.export(export_id)["status"] == status,  # type: ignore[misc]
                within_s=within_s,
                what=f"{status} of {export_id}",
            )

    def answer(self, export_id: str, text: str, *, prefix: str) -> None:
        acks = self.sshd.root / "acks"
        temporary = acks / "temporary"
        temporary.write_text(text)
        temporary.rename(acks / f"{prefix}_{self.export(export_id)['filename']}")

    def reject(self, export_id: str, customer: str) -> None:
        message = f"Debitor {customer} existiert nicht"
        body = {"status": "FAILED", "error_code": "UNKNOWN_CUSTOMER", "message": message, "processed_at": NOW}
        self.answer(export_id, json.dumps(body), prefix="error")

    def accept(self, export_id: str) -> None:
        body = {"status": "ACKED", "erp_order_id": "SO-1", "processed_at": NOW}
        self.answer(export_id, json.dumps(body), prefix="ack")

    def told(self, subject: str, *contained: str, within_s: float = TOLD_WITHIN_S) -> str:
        """The first e-mail with that subject and text."""

        def find() -> str:
            for mail in list(self.mailbox.mails):
                text = str(mail.get_content())
                if str(mail["Subject"]).startswith(ABOUT + subject) and all(part in text for part in contained):
                    return text
            return ""

        return eventually(find, within_s=within_s, what=f"{subject!r} among {self.mailbox.subjects}")


@contextmanager
def begun(tmp_path: Path, **settings: str) -> Iterator[Morning]:
    with smtp_server() as mailbox, openssh_server(tmp_path / "sshd") as sshd:
        for name in ("in", "acks"):
            (sshd.root / name).mkdir()
        own = {"EMAIL_URL": mailbox.url, "SWEEP_INTERVAL_S": "15", **settings}
        with installed(tmp_path / "site", own) as installation:
            installation.manage("shell", text=RECIPIENT)
            yield Morning(installation=installation, sshd=sshd, mailbox=mailbox)


@pytest.fixture
def morning(tmp_path: Path) -> Iterator[Morning]:
    with begun(tmp_path, ACK_POLL_INTERVAL_S="10") as morning:
        yield morning


def connect(morning: Morning) -> str:
    sshd = morning.sshd
    config = {
        "mode": "sftp", "host": sshd.host, "port": sshd.port, "username": sshd.username,
        "private_key": sshd.private_key, "host_key": sshd.host_key, "export_path": "in", "ack_path": "acks",
        "timeout_s": 5,
    }  # fmt: skip
    body = {"name": "ERP", "connector_type": "DROPZONE_JSON_V1", "is_default": True, "config": config}
    return str(morning.installation.post("erp-connections/", body)["id"])


@dataclass(kw_only=True)
class Browser:
    """A person who is logged in to the admin."""

    installation: Installation
    opener: urllib.request.OpenerDirector = field(
        default_factory=lambda: urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )
    )

    def page(self, path: str, data: dict[str, str] | None = None) -> str:
        """As it is read: without tags."""
        url = path if path.startswith("http") else f"http://127.0.0.1:{self.installation.port}{path}"
        body = urllib.parse.urlencode(data).encode() if data else None
        with self.opener.open(urllib.request.Request(url, body, {"Referer": url}), timeout=60) as response:  # noqa: S310
            return str(response.read().decode())

    def log_in(self) -> None:
        form = self.page("/admin/login/")
        (token, *_) = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        data = {"csrfmiddlewaretoken": token, "username": "ops", "password": PASSWORD, "next": "/admin/"}
        self.page("/admin/login/", data)

    def dashboard(self) -> str:
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.page("/admin/"))).split())


@pytest.mark.timeout(900)
def test_the_operator_at_eight(morning: Morning) -> None:
    """A1, A2, A3, A4, A12."""
    installation = morning.installation
    connection_id = connect(morning)
    friday, silent, truncated, *rejected = (morning.push(f"PO-{number}") for number in range(8))
    morning.reaches("SENT", friday, silent, truncated, *rejected)
    morning.reject(friday, "K9OO9")
    morning.reaches("FAILED", friday)
    installation.manage("shell", text=LAST_FRIDAY.format(friday))

    begins = time.monotonic()
    morning.answer(truncated, '{"status": "FAILED", "error_c', prefix="error")
    installation.manage("shell", text=LATE.format(silent))
    morning.told("failed orders", "PO-0", "UNKNOWN_CUSTOMER: Debitor K9OO9 existiert nicht")
    morning.told("overdue acknowledgements: 1", "PO-1", morning.export(silent)["filename"])
    morning.told("acknowledgements to check: 1", "PO-2", f"error_{morning.export(truncated)['filename']}")
    assert time.monotonic() - begins < 2 * TOLD_WITHIN_S
    for export_id in rejected:
        morning.reject(export_id, "K1O002")
    morning.reaches("FAILED", *rejected)

    morning.sshd.stop()
    waiting = [morning.push(f"PO-{number}") for number in range(8, 12)]
    paused = morning.told("connection paused", "PO-8", "PO-11", "refused the connection")
    person = Browser(installation=installation)
    person.log_in()
    shown = person.dashboard()
    for text in (
        "Orders in error 6",
        "Refused by the ERP: UNKNOWN_CUSTOMER × 6",
        "1 unreadable acknowledgement",
        "Overdue answers 1",
        "4 pending",
        "Connection paused: ERP",
        "Failed exports: ERP",
        "Overdue acknowledgements: ERP",
    ):
        assert text in shown, (text, shown)
    assert "nothing else is open" not in shown
    assert "resolved" not in " ".join(morning.mailbox.subjects)
    (link,) = re.findall(r"http://localhost:8000(/admin/exports/erpexport/\S+)", paused)
    listed = person.page(html.unescape(link))
    assert all(f"/admin/exports/erpexport/{export_id}/" in listed for export_id in waiting)
    planned = [morning.export(export_id)["next_attempt_at"] for export_id in waiting]
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    assert all(at is None or at >= now for at in planned)

    restarted = subprocess.Popen(morning.sshd.process.args)
    try:
        _everything_is_fixed(morning, connection_id, [friday, *rejected], [silent, truncated], waiting)
        eventually(
            lambda: "No failed exports, and nothing else is open." in person.dashboard(),
            within_s=60,
            what="all is well",
        )
    finally:
        restarted.terminate()
        restarted.wait(10)


def _everything_is_fixed(
    morning: Morning, connection_id: str, failed: list[str], unanswered: list[str], waiting: list[str]
) -> None:
    installation = morning.installation

    def works() -> bool:
        return bool(installation.post(f"erp-connections/{connection_id}/test/")["success"])

    eventually(works, within_s=30, what="the server")
    morning.reaches("SENT", *waiting)
    morning.told("resolved: connection paused")
    again = [retry(installation, morning.export(export_id)["draft_order"]) for export_id in failed[:-1]]
    morning.reaches("SENT", *again)
    for export_id in (*again, *unanswered, *waiting):
        morning.accept(export_id)
    morning.reaches("ACKED", *again, *unanswered, *waiting)
    morning.told("resolved: overdue acknowledgements")
    morning.told("resolved: acknowledgements to check")
    # One order is still in ERROR.
    assert not [subject for subject in morning.mailbox.subjects if "resolved: failed" in subject]
    last = retry(installation, morning.export(failed[-1])["draft_order"])
    morning.told("resolved: failed orders")
    morning.reaches("SENT", last)
    morning.accept(last)
    morning.reaches("ACKED", last)


def retry(installation: Installation, order: str) -> str:
    return str(installation.post(f"draft-orders/{order}/retry-push/")["erp_export_id"])


@pytest.mark.timeout(400)
def test_a_damaged_ack_is_reported_within_two_minutes_with_the_default_intervals(tmp_path: Path) -> None:
    """The file appears just after a poll, which is the worst moment."""
    with begun(tmp_path, ACK_POLL_INTERVAL_S="60") as morning:
        connect(morning)
        export_id = morning.push("PO-1")
        morning.reaches("SENT", export_id)
        shell = morning.installation.manage
        eventually(lambda: "polled" in shell("shell", text=POLLED).splitlines(), within_s=60, what="a poll")
        begins = time.monotonic()
        morning.answer(export_id, '{"status": "FAILED", "error_c', prefix="error")
        morning.told("acknowledgements to check: 1", "PO-1", f"error_{morning.export(export_id)['filename']}")
        assert time.monotonic() - begins < TOLD_WITHIN_S
