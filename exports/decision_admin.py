"""Deciding in the admin about exports in doubt: a page that says what follows and asks how it was established."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from exports import deciding, unread_acks
from exports.bulk.list_admin import BulkListAdmin
from exports.models import ERPExport
from exports.push_service import PushRefused
from orderflow.tenancy.admin_page import Button
from orderflow.tenancy.scoped_admin import actor
from orderflow.tenancy.seen import SEEN, row_field

CONSEQUENCES = {
    True: "Each export becomes SENT, and its acknowledgement is expected from now on, where this ERP sends any. "
    "Nothing is sent.",
    False: "Each export becomes FAILED, and its order can be retried, which sends it. If it did arrive after all, the "
    "ERP then has it twice.",
}


class DecisionAdmin(BulkListAdmin):
    """The actions on undecided exports, and how many there are above the list."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        undecided = self.get_queryset(request).filter(undecided_since__isnull=False)
        # Counting stops where a person has long seen that there are many.
        count = len(undecided.order_by()[:100].values_list("pk"))
        return super().changelist_view(request, {**(extra_context or {}), "undecided": count})

    def decision_buttons(self, export: ERPExport) -> Iterator[Button]:
        if export.undecided_since:
            yield Button(action="mark_delivered", label="Mark as delivered…", icon="check")
            yield Button(action="mark_not_delivered", label="Mark as not delivered…", icon="close")

    @admin.action(description="Mark as delivered", permissions=["push"])
    def mark_delivered(self, request: HttpRequest, rows: models.QuerySet[ERPExport]) -> HttpResponse | None:
        return self._decide_or_ask(request, rows, delivered=True)

    @admin.action(description="Mark as not delivered", permissions=["push"])
    def mark_not_delivered(self, request: HttpRequest, rows: models.QuerySet[ERPExport]) -> HttpResponse | None:
        return self._decide_or_ask(request, rows, delivered=False)

    def _decide_or_ask(
        self, request: HttpRequest, rows: models.QuerySet[ERPExport], *, delivered: bool
    ) -> HttpResponse | None:
        """What was confirmed with a reason is decided; what is not in doubt is rejected without a question."""
        reason = request.POST.get("reason", "").strip()[:300]
        in_doubt = rows.filter(undecided_since__isnull=False)
        if in_doubt.exists() and not (reason and "confirmed" in request.POST):
            return self._question(request, in_doubt, delivered=delivered)
        who = actor(request)
        self.run_each(
            request,
            rows.select_related("connection__organization"),
            lambda export: deciding.decide(export, delivered=delivered, actor=who, reason=reason),
            done=f"marked as {'delivered' if delivered else 'not delivered'}",
            refusal=PushRefused,
        )
        return None

    def _question(self, request: HttpRequest, rows: models.QuerySet[ERPExport], *, delivered: bool) -> HttpResponse:
        title = f"Mark as {'delivered' if delivered else 'not delivered'}"
        return self.question(request, rows, title=title, consequence=CONSEQUENCES[delivered])

    def question(
        self, request: HttpRequest, rows: models.QuerySet[ERPExport], *, title: str, consequence: str
    ) -> HttpResponse:
        """Asks for a reason and repeats the request with it, about `rows` as the page or list before showed them. Names
        what the ERP has written about them and nobody has read."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        hidden = [("action", request.POST.get("action", "")), *((ACTION_CHECKBOX_NAME, pk) for pk in chosen)]
        hidden += [(row_field(pk), request.POST.get(row_field(pk), "")) for pk in chosen]
        exports = list(rows.select_related("draft_order"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "consequence": consequence,
            "advice": unread_acks.advice(rows, ask=""),
            "exports": exports,
            "hidden": hidden if chosen else [(SEEN, request.POST.get(SEEN, ""))],
            "back": request.path if chosen else self.page_url(exports[0]),
        }
        return TemplateResponse(request, "exports/decision.html", context)
