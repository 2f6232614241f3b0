"""Deciding in the admin about an acknowledgement that contradicts another one of the same export."""

from collections.abc import Iterator
from functools import partial

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse

from exports.acks.unresolved import NotOpen
from exports.admin.decisions.reasons import Line, Question, ReasonedAdmin
from exports.decisions import conflicts
from exports.models import AckFile, ERPExport
from orderflow.admin.pages import Button, Note, change_url

QUESTIONS = {
    True: Question(
        title="The ERP took the order",
        consequence="The export becomes ACKED and its order PUSHED. Nothing is sent. Check in the ERP first.",
        ask="What the ERP shows",
    ),
    False: Question(
        title="The ERP did not take the order",
        consequence="The export becomes FAILED and its order goes to ERROR, so that it can be corrected, retried or "
        "rejected. If the ERP did take it after all, a retry makes it a second order. Check in the ERP first.",
        ask="What the ERP shows",
    ),
}
DONE = {True: "decided: the ERP took the order", False: "decided: the ERP did not take the order"}
ACTIONS = {True: "mark_taken", False: "mark_not_taken"}
LEAVE = "Leave it as it is"


def notes(export: ERPExport) -> Iterator[Note]:
    """On the export's page, the way to the decision."""
    ack = conflicts.of_export(export).first()
    if ack:
        text = (
            f"{ack.name} contradicts the first acknowledgement. Ask the ERP's administrator whether it took the order."
        )
        yield Note(level="warning", text=text, href=change_url(ack), link="Decide")


class ConflictAdmin(ReasonedAdmin):
    """The actions on files that contradict an earlier one."""

    def conflict_buttons(self, ack: AckFile) -> Iterator[Button]:
        took = conflicts.choice(ack)
        if took is not None:
            yield Button(action=ACTIONS[took], label=f"{QUESTIONS[took].title}…", icon="gavel")

    @admin.action(description="The ERP took the order", permissions=["push"])
    def mark_taken(self, request: HttpRequest, rows: models.QuerySet[AckFile]) -> HttpResponse | None:
        return self._decide(request, rows, took=True)

    @admin.action(description="The ERP did not take the order", permissions=["push"])
    def mark_not_taken(self, request: HttpRequest, rows: models.QuerySet[AckFile]) -> HttpResponse | None:
        return self._decide(request, rows, took=False)

    def line(self, row: AckFile) -> Line:
        order = f"Order {row.export.draft_order}. " if row.export else ""
        return Line(url=self.page_url(row), label=row.name, text=f"{order}{row.reason}")

    def _decide(self, request: HttpRequest, rows: models.QuerySet[AckFile], *, took: bool) -> HttpResponse | None:
        acks = list(rows.select_related("export__draft_order", "export__superseded_by"))
        return self.run_with_reason(
            request,
            acks,
            [ack for ack in acks if conflicts.choice(ack) is took],
            QUESTIONS[took],
            partial(conflicts.decide, took=took),
            done=DONE[took],
            refusal=NotOpen,
        )
