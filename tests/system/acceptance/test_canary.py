"""A secret goes into a connection and comes out nowhere."""

import re
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib import parse, request

import pytest

from tests.support.canary_key import canary_key
from tests.support.installation import PASSWORD, Installation, eventually
from tests.system.acceptance.conftest import Site

CANARY = "kanari7f3a9c"
SECRETS = {"password": f"{CANARY}password", "private_key": canary_key(CANARY), "passphrase": f"{CANARY}passphrase"}
PAGES = ("erpconnection", "erpexport", "ackfile")


@pytest.mark.timeout(180)
def test_a_secret_comes_out_nowhere(one_machine: Site) -> None:
    """S4: neither in an answer of the API or the schema, nor on a page, in a log, in the database, in a message."""
    installation = one_machine.installation
    installation.kill("worker")
    connection = installation.post("erp-connections/", new_connection())["id"]
    answers = [*api_answers(installation, connection), *admin_pages(installation, connection)]
    # The worker is away, so that what it is told still lies with the broker.
    order = installation.post("draft-orders/", order_body())["id"]
    installation.post(f"draft-orders/{order}/approve/")
    export = installation.post(f"draft-orders/{order}/push/", {"connection": connection})["erp_export_id"]
    assert list((installation.folder / "data" / "broker").rglob("*.*"))
    kept_before = dict(files(installation.folder))
    installation.start("worker")
    failed = eventually(lambda: tried(installation, export), within_s=30, what="a try that failed")
    answers += [str(failed).encode(), *admin_pages(installation, connection)]
    assert len(answers) > 12
    found = [answer for answer in answers if CANARY.encode() in answer]
    assert not found
    for path, content in [*kept_before.items(), *files(installation.folder)]:
        assert CANARY.encode() not in content, path


def new_connection(**config: Any) -> dict[str, Any]:
    """To a port where nobody listens."""
    sftp = {"mode": "sftp", "host": "127.0.0.1", "port": 1, "username": "erp", "export_path": "in", **SECRETS}
    return {"name": "Secret", "connector_type": "DROPZONE_JSON_V1", "is_default": True, "config": {**sftp, **config}}


def order_body() -> dict[str, Any]:
    return {
        "external_order_number": "PO-1",
        "currency": "EUR",
        "customer": {"erp_customer_number": "TOMSP", "name": "Toms Spezialitäten"},
        "lines": [{"internal_sku": "2", "qty": 50, "uom": "ST", "unit_price": 15.2}],
    }


def api_answers(installation: Installation, connection: str) -> Iterator[bytes]:
    """Of what reads it, and of what takes it and refuses it."""
    row = f"erp-connections/{connection}/"
    wrong = [{"password": [SECRETS["password"]]}, {"port": 0, **SECRETS}, {"host": "", **SECRETS}, {"": 1}]
    calls: list[tuple[str, str, object]] = [
        ("GET", "erp-connections/", None),
        ("GET", row, None),
        ("GET", "schema/?format=json", None),
        ("GET", "connector-types/", None),
        ("POST", f"{row}test/", None),
        ("POST", f"{row}test/", {"config": {**SECRETS, "port": 2}}),
        *(("PATCH", row, {"config": config}) for config in wrong),
        ("POST", "erp-connections/", new_connection(port="x")),
        ("POST", "erp-connections/", new_connection()),
    ]
    for method, path, body in calls:
        status, answer = installation.call(method, path, body)
        assert status < 500
        yield str(answer).encode()


def admin_pages(installation: Installation, connection: str) -> Iterator[bytes]:
    site = f"http://127.0.0.1:{installation.port}/admin/"
    browser = request.build_opener(request.HTTPCookieProcessor(CookieJar()))
    page = browser.open(f"{site}login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    entered = {"csrfmiddlewaretoken": token[1], "username": "ops", "password": PASSWORD, "next": "/admin/"}
    yield browser.open(f"{site}login/", parse.urlencode(entered).encode()).read()
    yield browser.open(f"{site}connectors/erpconnection/{connection}/change/").read()
    for name in PAGES:
        app = "connectors" if name == "erpconnection" else "exports"
        yield browser.open(f"{site}{app}/{name}/").read()
    yield browser.open(f"{site}tenancy/auditentry/").read()


def tried(installation: Installation, export: str) -> Any:
    found = installation.get(f"exports/{export}/")
    return found if len(found["events"]) > 1 else None


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Database, broker, stored copies, logs of all processes."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()
