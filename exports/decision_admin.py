"""Deciding in the admin about exports in doubt: a page that says what follows and asks how it was established."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse

from exports import deciding
from exports.models import ERPExport
from exports.push_service import PushRefused
from exports.reasoned_admin import ReasonedAdmin
from orderflow.tenancy.admin_page import Button
from orderflow.tenancy.scoped_admin import actor

CONSEQUENCES = {
    True: "Each export becomes SENT, and its acknowledgement is expected from now on, where this ERP sends any. "
    "Nothing is sent.",
    False: "Each export becomes FAILED, and its order can be retried, which sends it. If it did arrive after all, the "
    "ERP then has it twice.",
}


class DecisionAdmin(ReasonedAdmin):
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
        reason = self.confirmed_reason(request)
        in_doubt = rows.filter(undecided_since__isnull=False)
        if in_doubt.exists() and not reason:
            title = f"Mark as {'delivered' if delivered else 'not delivered'}"
            consequence = f"{CONSEQUENCES[delivered]} Check in the ERP first."
            return self.ask_reason(request, in_doubt, title=title, consequence=consequence, ask="What the ERP shows")
        who = actor(request)
        self.run_each(
            request,
            rows.select_related("connection__organization"),
            lambda export: deciding.decide(export, delivered=delivered, actor=who, reason=reason),
            done=f"marked as {'delivered' if delivered else 'not delivered'}",
            refusal=PushRefused,
        )
        return None
