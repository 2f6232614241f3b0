"""Giving up in the admin the wait for an acknowledgement."""

from collections.abc import Iterator

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse

from exports.admin.decisions.reasons import Question, ReasonedExportAdmin
from exports.decisions import give_up
from exports.models import ERPExport
from exports.models.status import ExportStatus, PushRefused
from orderflow.admin.pages import Button

GIVE_UP = Question(
    title="Give up",
    consequence="Each export becomes FAILED and its order goes to Error. If the ERP has the order, a retry makes it a "
    "second one. Check in the ERP first.",
    ask="Why no answer will come",
)


class GivingUpAdmin(ReasonedExportAdmin):
    def giving_up_buttons(self, export: ERPExport) -> Iterator[Button]:
        # Without a time until which one is expected, no acknowledgement is waited for.
        if export.status == ExportStatus.SENT and export.answer_due_at:
            yield Button(action="give_up", label="Give up…", icon="cancel")

    @admin.action(description="Give up waiting for the answer", permissions=["push"])
    def give_up(self, request: HttpRequest, rows: models.QuerySet[ERPExport]) -> HttpResponse | None:
        return self.run_with_reason(
            request,
            rows,
            rows.filter(status=ExportStatus.SENT).select_related("draft_order"),
            GIVE_UP,
            give_up.give_up,
            done="given up. The ERP may have the orders: look before you retry",
            refusal=PushRefused,
        )
