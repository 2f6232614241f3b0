"""One order from the API to the ERP's acknowledgement, over the SFTP service of docker-compose.yml."""

from pathlib import Path
from typing import Any

from tests.containers.engine import TrialFailed, eventually
from tests.containers.site import Site

ORDER = {
    "external_order_number": "PO-10258",
    "order_date": "2026-11-23",
    "currency": "EUR",
    "customer": {"erp_customer_number": "ERNSH", "name": "Ernst Handel"},
    "lines": [{"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2, "description": "Chang"}],
}
ERP = Path(__file__).with_name("erp.py")
SETTLES_WITHIN_S = 90


def to_acked(site: Site) -> None:
    _connect_sftp(site)
    order = site.api("POST", "draft-orders/", ORDER)["id"]
    site.api("POST", f"draft-orders/{order}/approve/")
    export = site.api("POST", f"draft-orders/{order}/push/", **{"Idempotency-Key": "trial"})["erp_export_id"]
    _wait(site, export, "SENT")
    site.engine.say("the order was imported, approved and pushed, and is SENT")
    taken = site.engine.execute("web", "python", "-", text=ERP.read_text(encoding="utf-8"))
    site.engine.say(f"the stand-in ERP took {taken} over SFTP and acknowledged it")
    _wait(site, export, "ACKED")
    _same("the number that the ERP gave", site.get(f"draft-orders/{order}/")["erp_order_id"], "SO-2026-000001")
    eventually(lambda: _archived(site, export), within_s=SETTLES_WITHIN_S, what="the sent document is archived")
    site.engine.say("the order is ACKED, and its document is archived in volume data")


def to_a_folder(site: Site) -> None:
    """A connection test writes, renames and removes a file in volume dropzones."""
    site.engine.execute("worker", "mkdir", "-p", "/dropzones/acme/in", "/dropzones/acme/acks")
    config = {"mode": "filesystem", "export_path": "in", "ack_path": "acks"}
    body = {"name": "Folder", "connector_type": "DROPZONE_JSON_V1", "config": config}
    _tested(site, site.api("POST", "erp-connections/", body)["id"])
    site.engine.say("a connection to a folder in volume dropzones passes its test")


def _connect_sftp(site: Site) -> None:
    """Host key first: a connection without one is not used."""
    config = {
        "mode": "sftp",
        "host": "sftp",
        "username": "erp",
        "password": site.settings["SFTP_PASSWORD"],
        "export_path": "/in",
        "ack_path": "/acks",
    }
    body = {"name": "ERP", "connector_type": "DROPZONE_JSON_V1", "is_default": True, "config": config}
    connection = site.api("POST", "erp-connections/", body)["id"]
    shown = site.api("POST", f"erp-connections/{connection}/test/")["host_key"]
    site.api("PATCH", f"erp-connections/{connection}/", {"config": {"host_key": shown}})
    _tested(site, connection)
    site.engine.say("the connection to the SFTP service passes its test")


def _tested(site: Site, connection: str) -> None:
    result = site.api("POST", f"erp-connections/{connection}/test/")
    if not result["success"]:
        raise TrialFailed(f"The connection's test failed: {result}")


def _wait(site: Site, export: str, status: str) -> None:
    def arrived() -> bool:
        found = site.get(f"exports/{export}/")
        if found["status"] == "FAILED":
            raise TrialFailed(f"The export failed: {found}")
        return bool(found["status"] == status)

    eventually(arrived, within_s=SETTLES_WITHIN_S, what=f"the export is {status}")


def _archived(site: Site, export: str) -> bool:
    try:
        document = site.get(f"exports/{export}/document/")
    except TrialFailed:
        return False
    _same("the archived order's number", document["header"]["external_order_number"], ORDER["external_order_number"])
    return True


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise TrialFailed(f"{what}: {found!r}, expected {expected!r}")
