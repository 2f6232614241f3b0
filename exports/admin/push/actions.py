"""Pushing and retrying many orders from a list: first a page that counts what will go and what will not."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from connectors.models import ERPConnection
from exports.admin.push import connection_choice
from exports.bulk import jobs, refusals, routing
from exports.bulk.changed_orders import orders_changed_since
from exports.bulk.models import SOURCES, BulkJob
from exports.bulk.preview import Plan, plan
from exports.bulk.refusals import Grouped
from exports.models.status import PushRefused
from orderflow.admin.extensions import PageExtension
from orderflow.admin.optimistic_locking.row_version import SEEN, row_field
from orderflow.admin.permissions import PushPermission
from orderflow.admin.scoped import actor
from orderflow.orders.models import DraftOrder

Kind = BulkJob.Kind
SEEN_WAYS = "_seen_ways"
CHANGED = (
    "Nothing was done: these orders, the connection that they go over, or the acknowledgement files about them "
    "changed while you looked. Look again."
)


class BulkPush(PushPermission, PageExtension):
    """For a list whose rows are orders, or lead to them."""

    list_template = "exports/bulk/offers.html"
    # What may be asked for of all rows that match the filter, and how that reads.
    offers: ClassVar[tuple[tuple[Kind, str], ...]] = ()

    def orders_of(self, rows: models.QuerySet[Any]) -> models.QuerySet[DraftOrder]:
        """The orders that the rows stand for."""
        raise NotImplementedError

    def waiting_among(self, rows: models.QuerySet[Any], kind: Kind) -> models.QuerySet[DraftOrder]:
        """Of the orders of `rows`, those that can be asked for; quickly, also when there are a million rows."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        view = self.page.admin_site.admin_view(self.bulk_view)
        return [path("all/<slug:kind>/", view, name=self.page.url_name("bulk"))]

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        return {"bulk_offers": list(self._offers(request))}

    def _offers(self, request: HttpRequest) -> Iterator[tuple[str, str]]:
        if self.has_push_permission(request):
            query = f"?{request.GET.urlencode()}" if request.GET else ""
            for kind, label in self.offers:
                yield label, reverse(f"admin:{self.page.url_name('bulk')}", args=[kind.lower()]) + query

    def push_or_ask(self, request: HttpRequest, rows: models.QuerySet[Any], kind: Kind) -> HttpResponse | None:
        """A button pushes its one row. What was chosen in the list is counted first, and pushed once confirmed."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        orders = self.orders_of(rows).select_related("organization").order_by("created_at", "id")
        if not chosen:
            try:
                self._push_now(request, orders, kind, over=connection_choice.posted(request))
            except PushRefused as refusal:
                messages.error(request, f"Nothing was done. {refusal}")
            return None
        made = plan(orders, SOURCES[kind])
        if "confirmed" in request.POST and request.POST.get(SEEN_WAYS, made.seen_ways) == made.seen_ways:
            self._push_now(request, orders, kind)
            return None
        hidden = [("action", request.POST["action"]), *((ACTION_CHECKBOX_NAME, pk) for pk in chosen)]
        # As the list showed them: what changes while people read the page is left out too.
        hidden += [(row_field(pk), request.POST.get(row_field(pk), "")) for pk in chosen]
        hidden.append((SEEN_WAYS, made.seen_ways))
        if "confirmed" in request.POST:
            messages.warning(request, CHANGED)
        return self._confirmation(request, made, kind, hidden=hidden)

    @transaction.atomic
    def _push_now(
        self,
        request: HttpRequest,
        orders: models.QuerySet[DraftOrder],
        kind: Kind,
        *,
        over: ERPConnection | None = None,
    ) -> None:
        by_organization: dict[Any, list[Any]] = {}
        for order in orders:
            by_organization.setdefault(order.organization, []).append(order.pk)
        outcomes = [
            outcome
            for organization, ids in by_organization.items()
            for outcome in routing.push_each(organization, SOURCES[kind], ids, actor=actor(request), over=over)
        ]
        self._tell(request, outcomes, "retried" if kind == Kind.RETRY else "pushed")

    def _tell(self, request: HttpRequest, outcomes: list[Any], done: str) -> None:
        refused = [outcome.refusal for outcome in outcomes if outcome.refusal]
        count = len(outcomes) - len(refused)
        if count:
            messages.success(request, f"{count} order{'s' if count > 1 else ''} {done}.")
        if refused:
            messages.warning(request, f"{len(refused)} refused. {counts_text(refusals.grouped(refused))}")

    def bulk_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Of all rows that the list's filter matches: what would go, and after a POST it does, in the background."""
        asked = next((offered for offered, _ in self.offers if offered.lower() == kind), None)
        if asked is None:
            raise Http404(f"There is nothing like {kind} for all of a list.")
        if not self.has_push_permission(request):
            raise PermissionDenied
        as_of = parse_datetime(request.POST.get("as_of", "")) if request.method == "POST" else None
        now = timezone.now()
        made, more = self._plan_all(request, asked, as_of or now)
        if as_of and request.POST.get(SEEN) == made.seen:
            return self._begin(request, made, asked)
        if as_of:
            messages.warning(request, f"{CHANGED} {orders_changed_since(as_of, request.user)}".rstrip())
            now = timezone.now()
            made, more = self._plan_all(request, asked, now)
        hidden = [("as_of", now.isoformat()), (SEEN, made.seen)]
        return self._confirmation(request, made, asked, more=more, hidden=hidden)

    def _plan_all(self, request: HttpRequest, kind: Kind, as_of: datetime) -> tuple[Plan, bool]:
        """The oldest, as many as one job takes; and whether there are more. What changed since `as_of` was not
        confirmed."""
        found: ChangeList = self.page.get_changelist_instance(request)
        orders = self.waiting_among(found.get_queryset(request), kind).filter(updated_at__lte=as_of)
        first = list(orders.select_related("organization").order_by("created_at", "id")[: jobs.MOST + 1])
        return plan(first[: jobs.MOST], SOURCES[kind]), len(first) > jobs.MOST

    def _begin(self, request: HttpRequest, made: Plan, kind: Kind) -> HttpResponse:
        who = actor(request)
        begun = [jobs.ask(organization, kind, ids, actor=who) for organization, ids in made.order_ids.items()]
        if len(begun) == 1:
            return HttpResponseRedirect(reverse("admin:exports_bulkjob_change", args=[begun[0].pk]))
        return HttpResponseRedirect(reverse("admin:exports_bulkjob_changelist"))

    def _confirmation(
        self, request: HttpRequest, made: Plan, kind: Kind, *, hidden: list[tuple[str, str]], more: bool = False
    ) -> HttpResponse:
        context = {
            **self.page.admin_site.each_context(request),
            "opts": self.page.opts,
            "title": f"{kind.label} orders",
            "verb": kind.label,
            "is_retry": kind == Kind.RETRY,
            "plan": made,
            "hidden": hidden,
            "more": more,
            "no_way": not {"no_connection", "connection_disabled"}.isdisjoint(made.refusals),
            "most": jobs.MOST,
            "back": reverse(f"admin:{self.page.url_name('changelist')}") + self._filter_of(request),
        }
        return TemplateResponse(request, "exports/bulk/confirmation.html", context)

    def _filter_of(self, request: HttpRequest) -> str:
        return f"?{request.GET.urlencode()}" if request.GET else ""


def counts_text(groups: Grouped) -> str:
    """Each reason once, with an example and the number of orders."""
    return " ".join(
        group.example if group.count == 1 else f"{group.count} times such as: {group.example}"
        for group in groups.values()
    )
