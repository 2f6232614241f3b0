"""Deciding in the admin about exports in doubt: a page that says what follows and asks how it was established."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse

from exports.admin.decisions.reasons import Question, ReasonedExportAdmin
from exports.decisions import resolve
from exports.models import ERPExport
from exports.models.status import PushRefused
from orderflow.admin.pages import Button

QUESTIONS = {
    True: Question(
        title="Mark as delivered",
        consequence="Each export becomes SENT, and its acknowledgement is expected from now on, where this ERP sends "
        "any. Nothing is sent. Check in the ERP first.",
        ask="What the ERP shows",
    ),
    False: Question(
        title="Mark as not delivered",
        consequence="Each export becomes FAILED, and its order can be retried, which sends it. If it did arrive after "
        "all, the ERP then has it twice. Check in the ERP first.",
        ask="What the ERP shows",
    ),
}


class DecisionAdmin(ReasonedExportAdmin):
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
        return self._decide(request, rows, delivered=True)

    @admin.action(description="Mark as not delivered", permissions=["push"])
    def mark_not_delivered(self, request: HttpRequest, rows: models.QuerySet[ERPExport]) -> HttpResponse | None:
        return self._decide(request, rows, delivered=False)

    def _decide(
        self, request: HttpRequest, rows: models.QuerySet[ERPExport], *, delivered: bool
    ) -> HttpResponse | None:
        return self.run_with_reason(
            request,
            rows.select_related("connection__organization"),
            rows.filter(undecided_since__isnull=False).select_related("draft_order"),
            QUESTIONS[delivered],
            partial(resolve.decide, delivered=delivered),
            done=f"marked as {'delivered' if delivered else 'not delivered'}",
            refusal=PushRefused,
        )
