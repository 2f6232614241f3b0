"""Many threads ask for the same pushes with the same keys at the same time, over HTTP, on both databases."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.delivery import drain
from exports.models import ERPExport
from orderflow.api.models import ApiToken
from orderflow.environment import server_urls
from orderflow.orders.models import Customer, DraftOrder, DraftOrderLine
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Membership, Organization
from orderflow.tenancy.roles import Role
from tests.bench.bench import ROOT, until
from tests.bench.results import Bar, Result, Table, exactly, number
from tests.servers.ports import free_port
from tests.servers.postgres import postgres
from tests.trials.runner import Torture

NO_ANSWER = 0
STARTS_WITHIN_S = 90
ANSWERS_WITHIN_S = 90
ASKS_AGAIN_AFTER_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`status` is the last one, 0 for none; `repeats` are the times that the first call was still running before."""

    key: str
    status: int
    export: str = ""
    repeats: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`answers` are statuses, with 0 for none, and `repeats` what came before them; `ids` the exports that each key was
    answered with."""

    keys: int
    answers: Counter[int]
    repeats: int
    ids: Mapping[str, set[str]]
    exports: int
    files: int
    took_s: float


def run(torture: Torture) -> Result:
    threads, keys = torture.size(50, 10), torture.size(200, 10)
    outcomes = {"SQLite": _outcome(torture, "sqlite", threads, keys)}
    with postgres() as url, _other_database(url):
        outcomes["PostgreSQL"] = _outcome(torture, "postgresql", threads, keys)
    columns = ("database", "requests", "202", "200", "others", "repeated", "s", "requests/s")
    return Result(
        told=(
            f"{threads} threads push the same {keys} approved orders in the same sequence, each order with its "
            "Idempotency-Key, over HTTP to gunicorn with processes of 4 threads, while the orders are delivered into "
            "a folder. The rate limits are set out of the way. A request that is told that the first one with its key "
            "is still running is repeated until it has its answer."
        ),
        tables=[Table(title="Answers", columns=columns, rows=[_row(*found) for found in outcomes.items()])],
        bars=[bar for name, outcome in outcomes.items() for bar in _bars(name, outcome)],
    )


@contextmanager
def _other_database(url: str) -> Iterator[None]:
    """For this process and for those that it starts."""
    before = connections.settings["default"]
    connections["default"].close()
    connections.settings |= connections.configure_settings({"default": server_urls.database("DATABASE_URL", url)})
    del connections["default"]
    os.environ["DATABASE_URL"] = url
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = before
        del connections["default"]


def _outcome(torture: Torture, slug: str, threads: int, keys: int) -> Outcome:
    organization = Organization.objects.create(name=slug, slug=slug)
    folder = Path(settings.DROPZONE_ROOT) / slug / "in"
    connection, token = _connected(organization, folder), _token(organization)
    orders = [_approved(organization, n) for n in range(keys)]
    with _web(torture) as port, _delivering(connection):
        started = time.monotonic()
        answers = _pushed(port, token, orders, threads)
        took = time.monotonic() - started
    drain.drain(connection.pk)
    ids = defaultdict(set)
    for answer in answers:
        if answer.status != NO_ANSWER:
            ids[answer.key].add(answer.export)
    return Outcome(
        keys=keys,
        answers=Counter(answer.status for answer in answers),
        repeats=sum(answer.repeats for answer in answers),
        ids=ids,
        exports=ERPExport.objects.count(),
        files=sum(1 for _ in folder.iterdir()),
        took_s=took,
    )


def _connected(organization: Organization, folder: Path) -> ERPConnection:
    folder.mkdir(parents=True)
    row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
    config = {"mode": "filesystem", "export_path": "in"}
    return connection_service.save(
        row, ConnectionChanges(name="Folder", is_default=True, config=config), actor="torture"
    )


def _token(organization: Organization) -> str:
    user = User.objects.create_user("ops")
    Membership.objects.create(user=user, organization=organization, role=Role.OPS)
    _, token = ApiToken.objects.create(user, name="Test")
    return str(token)


def _approved(organization: Organization, number: int) -> UUID:
    customer, _ = Customer.objects.get_or_create(organization=organization, erp_customer_number="C1", name="Toms")
    order = DraftOrder.objects.create(
        organization=organization, customer=customer, external_order_number=f"PO-{number}", currency="EUR",
        status=OrderStatus.APPROVED, approved_at=timezone.now(),
    )  # fmt: skip
    DraftOrderLine.objects.create(order=order, line_no=1, internal_sku="42", qty=10, uom="ST", unit_price="9.80")
    return order.pk


@contextmanager
def _web(torture: Torture) -> Iterator[int]:
    port, workers = free_port(), torture.size(2, 1)
    command = ["gunicorn", "orderflow.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--threads", "4"]
    rates = dict.fromkeys(("RATE_PUSH", "RATE_PUSH_ORGANIZATION"), "1000000/min")
    environment = {**os.environ, **rates, "PYTHONWARNINGS": "ignore"}
    with (
        (torture.folder / "web.log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", *command, "--no-control-socket"], cwd=ROOT, env=environment, stdout=log, stderr=log
        ) as web,
    ):
        try:
            until(lambda: _is_ready(port), within_s=STARTS_WITHIN_S, every_s=0.2)
            yield port
        finally:
            web.terminate()


def _is_ready(port: int) -> bool:
    """It listens before it can answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STARTS_WITHIN_S)
    try:
        connection.request("GET", "/readyz/web")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def _delivering(connection: ERPConnection) -> Iterator[None]:
    """So that the same key is answered before and after its order has left."""
    stop = Event()

    def deliver() -> None:
        while not stop.wait(0.2):
            drain.drain(connection.pk)
        connections.close_all()

    thread = Thread(target=deliver)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _pushed(port: int, token: str, orders: Sequence[UUID], threads: int) -> list[Answer]:
    barrier = Barrier(threads)

    def push_all(_: int) -> list[Answer]:
        barrier.wait()
        return [_push(port, token, str(order)) for order in orders]

    with ThreadPoolExecutor(threads) as pool:
        return [answer for answers in pool.map(push_all, range(threads)) for answer in answers]


def _push(port: int, token: str, order: str) -> Answer:
    """As long as another call with the key is still running, the caller asks again."""
    repeats = 0
    while True:
        status, body = _call(port, token, order)
        if status != http.HTTPStatus.CONFLICT or body.get("code") != "still_running":
            return Answer(key=order, status=status, export=str(body.get("erp_export_id")), repeats=repeats)
        repeats += 1
        time.sleep(ASKS_AGAIN_AFTER_S)


def _call(port: int, token: str, order: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWERS_WITHIN_S)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}", "Idempotency-Key": f"k{order}"}
    try:
        connection.request("POST", f"/api/v1/draft-orders/{order}/push/", body=b"{}", headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return NO_ANSWER, {}
    finally:
        connection.close()


def _row(name: str, outcome: Outcome) -> tuple[str, ...]:
    answers, total = outcome.answers, outcome.answers.total()
    counts = (total, answers[202], answers[200], total - answers[202] - answers[200], outcome.repeats)
    return (name, *(f"{count:,}" for count in counts), number(outcome.took_s), number(total / outcome.took_s))


def _bars(name: str, outcome: Outcome) -> list[Bar]:
    failed = sum(count for status, count in outcome.answers.items() if status >= 500 or status == NO_ANSWER)
    others = outcome.answers.total() - outcome.answers[200] - outcome.answers[202] - failed
    same = sum(len(ids) == 1 for ids in outcome.ids.values())
    return [
        exactly(f"exports, {name}", outcome.keys, outcome.exports, "exports"),
        exactly(f"files at the dropzone, {name}", outcome.keys, outcome.files, "files"),
        exactly(f"keys with one export in all their answers, {name}", outcome.keys, same, "keys"),
        exactly(f"5xx or no answer at all, {name}", 0, failed, "answers"),
        exactly(f"answers other than 200 and 202, {name}", 0, others, "answers"),
    ]
