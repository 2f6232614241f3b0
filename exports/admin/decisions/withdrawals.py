"""Withdrawing exports in the admin, and stopping the attempts of those that may have arrived."""

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse

from exports.admin.decisions.reasons import Question, ReasonedExportAdmin
from exports.decisions import withdraw
from exports.models import ERPExport
from exports.models.status import ExportStatus, PushRefused
from orderflow.admin.pages import Button

WITHDRAW = Question(
    title="Withdraw",
    consequence="Nothing of these exports was sent, and nothing will be. Each becomes FAILED and its order goes to "
    "Error, where it can be corrected, rejected, or sent over another connection.",
    ask="Why they are withdrawn",
)
STOP = Question(
    title="Stop sending",
    consequence="An attempt may have brought these orders to the ERP before the connection went out of use. They are "
    "not sent again. Look for each in the ERP, then mark its export as delivered or not delivered.",
    ask="Why no attempt can succeed",
)


class WithdrawalAdmin(ReasonedExportAdmin):
    """The exit of exports that wait for a connection which will not work again."""

    def run_as_seen(
        self, request: HttpRequest, row: Any, run: Callable[[], HttpResponse | None], *, action: str = ""
    ) -> HttpResponse | None:
        if action == "withdraw" and self.confirmed_reason(request):
            withdraw.look_first()
        return super().run_as_seen(request, row, run, action=action)

    def response_action(self, request: HttpRequest, queryset: models.QuerySet[ERPExport]) -> HttpResponse | None:
        if "withdraw" in request.POST.getlist("action") and self.confirmed_reason(request):
            withdraw.look_first()
        return super().response_action(request, queryset)

    def withdrawal_buttons(self, export: ERPExport) -> Iterator[Button]:
        if withdraw.may_be_withdrawn(export):
            yield Button(action="withdraw", label="Withdraw…", icon="undo")
        elif withdraw.may_be_stopped(export):
            yield Button(action="stop_sending", label="Stop sending…", icon="block")

    @admin.action(description="Withdraw", permissions=["push"])
    def withdraw(self, request: HttpRequest, rows: models.QuerySet[ERPExport]) -> HttpResponse | None:
        return self.run_with_reason(
            request,
            rows.select_related("connection"),
            rows.filter(status=ExportStatus.PENDING, **withdraw.UNTOUCHED).select_related("draft_order"),
            WITHDRAW,
            withdraw.withdraw,
            done="withdrawn. Nothing of it was sent; see the order for what can be done with it",
            refusal=PushRefused,
        )

    @admin.action(description="Stop sending", permissions=["push"])
    def stop_sending(self, request: HttpRequest, rows: models.QuerySet[ERPExport]) -> HttpResponse | None:
        begun = withdraw.touched(rows.filter(status=ExportStatus.PENDING, undecided_since=None))
        return self.run_with_reason(
            request,
            rows.select_related("connection"),
            begun.select_related("draft_order"),
            STOP,
            withdraw.stop,
            done="stopped. Check in the ERP, then mark as delivered or not delivered",
            refusal=PushRefused,
        )
