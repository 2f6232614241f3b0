"""Every page of the admin's in a small database and in a large one: its lists with each filter and search, its rows."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection as database
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connectors.models import ERPConnection
from exports.bulk.models import BulkJob
from exports.models import AckFile, ERPExport
from exports.models.status import ExportStatus
from exports.webhooks import endpoint_service
from exports.webhooks.models import WebhookEndpoint, WebhookMessage
from orderflow.api.models import ApiToken
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import AuditEntry
from tests.bench.bench import Bench
from tests.bench.results import Result, Table, at_most, number
from tests.bench.site import tenants
from tests.bench.site.databases import fresh_database
from tests.support import rows

EXPORTS = (1_000, 1_000_000)
FEW_EXPORTS = (100, 300)
CONNECTIONS, ROUNDS = 3, 5
QUERIES, RISE = 25, 3
SHOWN = 12


@dataclass(kw_only=True)
class Page:
    """`ms` and `queries` at each size."""

    ms: list[float]
    queries: list[int]

    @property
    def rise(self) -> float:
        return self.ms[-1] / self.ms[0]


class _Site:
    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._ways = tenants.connect(bench, "pages", organizations=CONNECTIONS)
        self._tenant = self._ways[0].organization
        user, _ = tenants.somebody(self._tenant)
        webhook = WebhookEndpoint(organization=self._tenant, name="Shop", url="https://127.0.0.1/hook")
        self._webhook = endpoint_service.create(webhook, actor="bench")
        self._people = {"tenant": Client(), "operator": Client()}
        self._people["tenant"].force_login(user)
        self._people["operator"].force_login(User.objects.create_superuser("operator"))
        self._exports = 0

    def grow_to(self, count: int) -> None:
        """One export in a hundred awaits its answer, and a page of each organization from the start: what is on a page
        is as much at every size."""
        more = count - self._exports
        waiting = max(more // 100, 0 if self._exports else min(count // 2, 100 * CONNECTIONS))
        rows.add_exports(self._ways, more - waiting, ExportStatus.ACKED, lines=1)
        rows.add_exports(self._ways, waiting, ExportStatus.SENT, lines=1)
        if not self._exports:
            rows.add_approved(self._ways, 100, lines=1)
            self._add_one_of_each()
        rows.tidy_up()
        self._exports = count

    def _add_one_of_each(self) -> None:
        export = ERPExport.objects.filter(organization=self._tenant, status=ExportStatus.ACKED).earliest("created_at")
        ERPExport.objects.filter(pk=export.pk).update(erp_order_id="SO-1")
        now, owned = export.created_at, {"organization": self._tenant}
        WebhookMessage.objects.create(
            **owned, endpoint=self._webhook, export=export, type="export.acked", payload="{}", status="DELIVERED",
            created_at=now,
        )  # fmt: skip
        BulkJob.objects.create(
            **owned, kind="PUSH", state="DONE", asked_by="bench", asked_at=now, total=1, position=1, done=1
        )

    def paths(self) -> Iterator[str]:
        export = ERPExport.objects.get(erp_order_id="SO-1")
        yield reverse("admin:index")
        for model, page in admin.site._registry.items():
            where = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            listed = reverse(f"{where}_changelist")
            yield listed
            yield from (f"{listed}?{query}" for query in _queries(model, export))
            row = self._row(model, export)
            yield reverse(f"{where}_change", args=[row.pk])
            yield reverse(f"{where}_history", args=[row.pk])
            if page.has_add_permission(_AsOperator()):  # type: ignore[arg-type] # all that it looks at
                yield reverse(f"{where}_add")
        yield reverse("admin:orders_draftorder_bulk", args=["push"])
        yield reverse("admin:exports_erpexport_bulk", args=["retry"])

    def _row(self, model: type[Model], export: ERPExport) -> Model:
        """The oldest of the tenant's."""
        known: dict[type[Model], Model] = {ERPExport: export, DraftOrder: export.draft_order}
        return known.get(model) or model._default_manager.order_by("pk")[0]

    def figures(self) -> dict[str, tuple[float, int]]:
        """Milliseconds and queries by who asked for what. What is not the tenant's, the tenant's people do not see."""
        figures = {}
        for path in self.paths():
            for who, client in self._people.items():
                queries = _queries_of(client, path)
                if queries is not None:
                    series = (self._ms(client, path) for _ in range(self._bench.size(ROUNDS, 1)))
                    figures[f"{path} {who}"] = statistics.median(series), queries
        return figures

    def _ms(self, client: Client, path: str) -> float:
        started = time.perf_counter()
        client.get(path)
        return (time.perf_counter() - started) * 1000


def _queries_of(client: Client, path: str) -> int | None:
    """None where there is nothing to see."""
    with CaptureQueriesContext(database) as caught:
        if client.get(path).status_code != 200:
            return None
        return len(caught)


class _AsOperator:
    user = User(is_superuser=True)


def _queries(model: type[Model], export: ERPExport) -> list[str]:
    """Each filter and each search, by what many rows have, what one has, and what none has."""
    order = export.draft_order
    number_, file = order.external_order_number, export.filename
    known = (number_, number_[:4], "NONE", file, f"ack_{file}", "SO-1", "TOMSP", "Toms", export.pk, order.pk, uuid4())
    searched = [f"q={term}" for term in known]
    ways = [f"connection__id__exact={export.connection_id}"]
    days = ["_from=2020-01-01", "_from=2999-01-01", "_to=2020-01-01"]
    created = [f"created_at{day}" for day in days]
    listed: dict[type[Model], list[str]] = {
        DraftOrder: [*created, *searched, *(f"status__exact={s}" for s in ("APPROVED", "PUSHED", "ERROR"))],
        ERPExport: [*created, *searched, *ways, *(f"status__exact={status}" for status in ExportStatus)],
        AckFile: [
            *(f"seen_at{day}" for day in days), *searched, *ways,
            *(f"verdict__exact={verdict}" for verdict in ("MATCHED", "ORPHAN")),
        ],
        WebhookMessage: [*created, *searched, "status__exact=FAILED"],
        AuditEntry: [*(f"at{day}" for day in days), "q=bench", "q=nobody", f"q={order.pk}"],
        ERPConnection: ["q=Way", "status__exact=ACTIVE"],
        ApiToken: [],
    }  # fmt: skip
    return listed.get(model, [])


def run(bench: Bench) -> Result:
    sizes = FEW_EXPORTS if bench.quick else EXPORTS
    pages: dict[str, Page] = {}
    with fresh_database("admin_pages"):
        site = _Site(bench)
        for size in sizes:
            site.grow_to(size)
            for name, (ms, queries) in site.figures().items():
                page = pages.setdefault(name, Page(ms=[], queries=[]))
                page.ms.append(ms)
                page.queries.append(queries)
    slowest = sorted(pages.items(), key=lambda item: -item[1].rise)
    rows_ = [(name, *map(number, p.ms), number(p.rise), str(max(p.queries))) for name, p in slowest[:SHOWN]]
    return Result(
        told=(
            f"{len(pages)} pages of the admin, as a tenant's administrator and as the operator of all see them, with "
            f"{' / '.join(f'{size:,}' for size in sizes)} exports in PostgreSQL, spread evenly over {CONNECTIONS} "
            "organizations. Median milliseconds in one process; the pages that rose most."
        ),
        tables=[Table(title="Pages", columns=("page", *(f"{size:,}" for size in sizes), "x", "queries"), rows=rows_)],
        bars=[
            at_most("queries of any page", QUERIES, max(max(page.queries) for page in pages.values()), "queries"),
            at_most("any page with 1,000,000 exports against 1,000", RISE, slowest[0][1].rise),
        ],
    )
