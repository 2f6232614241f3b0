"""The main job, as people run it: processes, HTTP, files."""

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.installation import Installation, eventually
from tests.system.acceptance.conftest import Site
from tests.system.acceptance.orders import ORDER, greedy_erp, pushed, state


@pytest.mark.timeout(180)
def test_an_order_goes_all_the_way_and_its_answer_comes_back(site: Site) -> None:
    installation = site.installation
    site.connect()
    answer = pushed(installation, "PO-1", **{"Idempotency-Key": "k1"})
    assert answer["status"] == "PUSHING"
    export_id = answer["erp_export_id"]

    file = eventually(lambda: next(iter((site.dropzone / "in").glob("*.json")), None), within_s=20, what="the file")
    eventually(lambda: state(installation, export_id) == "SENT", within_s=10, what="SENT")
    content = file.read_bytes()
    document = json.loads(content)
    assert (document["customer"]["name"], document["lines"][0]["unit_price"]) == ("Toms Spezialitäten", 15.2)

    export = installation.get(f"exports/{export_id}/")
    assert export["filename"] == file.name
    assert eventually(lambda: site.stored(file.name), within_s=10, what="the copy") == content
    assert export["document_sha256"] == hashlib.sha256(content).hexdigest()

    file.unlink()
    acknowledgement = {"status": "ACKED", "erp_order_id": "SO-2025-000123", "processed_at": "2026-11-23T10:01:00Z"}
    (site.dropzone / "acks" / f"ack_{file.name}").write_text(json.dumps(acknowledgement))
    eventually(lambda: state(installation, export_id) == "ACKED", within_s=20, what="ACKED")
    order = installation.get(f"draft-orders/{document['draft_order_id']}/")
    assert (order["status"], order["erp_order_id"]) == ("PUSHED", "SO-2025-000123")
    assert [event["kind"] for event in installation.get(f"exports/{export_id}/")["events"]] == [
        "REQUESTED", "STAGED", "SENT", "ACKED",
    ]  # fmt: skip
    # It is moved once it is recorded.
    eventually((site.dropzone / "acks" / "processed" / f"ack_{file.name}").exists, within_s=10, what="the moved file")


@pytest.mark.timeout(300)
def test_a_worker_that_is_killed_three_times_delivers_every_order_once(site: Site) -> None:
    """F1, F20, F21."""
    installation, count = site.installation, 200
    site.connect()
    installation.kill("worker")
    exports = [pushed(installation, f"PO-{n}")["erp_export_id"] for n in range(count)]
    with greedy_erp(site.dropzone) as taken:
        for _ in range(3):
            some_more = min(len(taken) + 15, count)
            installation.start("worker")
            eventually(lambda more=some_more: len(taken) >= more, within_s=60, what="some more files")  # type: ignore[misc]
            installation.kill("worker")
        installation.start("worker")
        eventually(lambda: len(taken) == count, within_s=60, what="every file")
        eventually(lambda: sent_count(installation) == count, within_s=60, what="every SENT")
    assert set(taken.values()) == {1}
    assert len(taken) == len(exports) == count
    # A worker that was killed while it staged leaves its temporary file to the clean-up.
    assert not list((site.dropzone / "in").glob("*.json"))


def sent_count(installation: Installation) -> int:
    script = "from exports.models import ERPExport; print(ERPExport.objects.filter(status='SENT').count())"
    return int(installation.manage("shell", "--no-imports", "-c", script))


@pytest.mark.timeout(180)
def test_fifty_pushes_at_once_make_one_export(site: Site) -> None:
    """F29: threads with one key get one answer; without a key one wins and the others are told."""
    installation = site.installation
    site.connect()
    order = installation.post("draft-orders/", ORDER)
    installation.post(f"draft-orders/{order['id']}/approve/")
    path = f"draft-orders/{order['id']}/push/"
    headers = [{"Idempotency-Key": "k1"}] * 40 + [{}] * 10

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda header: installation.call("POST", path, None, **header), headers))

    statuses = Counter(status for status, _ in answers)
    assert set(statuses) <= {200, 202, 409}, answers
    exports = {body["erp_export_id"] for status, body in answers if status != 409}
    assert len(exports) == 1
    assert len(installation.get("exports/")["results"]) == 1
    eventually(lambda: len(list((site.dropzone / "in").glob("*.json"))) == 1, within_s=20, what="the file")
