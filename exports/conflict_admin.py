"""Deciding in the admin about an acknowledgement that contradicts another one of the same export."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from exports import conflicts
from exports.models import AckFile, ERPExport
from exports.open_acks import NotOpen
from orderflow.tenancy.admin_page import Button, Note, PageAdmin, change_url
from orderflow.tenancy.scoped_admin import actor
from orderflow.tenancy.seen import SEEN, row_field

TITLES = {True: "The ERP took the order", False: "The ERP did not take the order"}
CONSEQUENCES = {
    True: "The export becomes ACKED and its order PUSHED. Nothing is sent.",
    False: "The export becomes FAILED and its order goes to ERROR, so that it can be corrected, retried or rejected. "
    "If the ERP did take it after all, a retry makes it a second order.",
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


class ConflictAdmin(PageAdmin):
    """The actions on files that contradict an earlier one."""

    def conflict_buttons(self, ack: AckFile) -> Iterator[Button]:
        took = conflicts.choice(ack)
        if took is not None:
            yield Button(action=ACTIONS[took], label=f"{TITLES[took]}…", icon="gavel")

    @admin.action(description="The ERP took the order", permissions=["push"])
    def mark_taken(self, request: HttpRequest, rows: models.QuerySet[AckFile]) -> HttpResponse | None:
        return self._decide_or_ask(request, rows, took=True)

    @admin.action(description="The ERP did not take the order", permissions=["push"])
    def mark_not_taken(self, request: HttpRequest, rows: models.QuerySet[AckFile]) -> HttpResponse | None:
        return self._decide_or_ask(request, rows, took=False)

    def _decide_or_ask(
        self, request: HttpRequest, rows: models.QuerySet[AckFile], *, took: bool
    ) -> HttpResponse | None:
        """Files about which this cannot be decided are rejected without a question."""
        reason = request.POST.get("reason", "").strip()[:300]
        acks = list(rows.select_related("export__draft_order", "export__superseded_by"))
        if not reason and any(conflicts.choice(ack) is took for ack in acks):
            return self._question(request, acks, took=took)
        who = actor(request)
        self.run_each(
            request,
            acks,
            lambda ack: conflicts.decide(ack, took=took, actor=who, reason=reason),
            done=DONE[took],
            refusal=NotOpen,
        )
        return None

    def _question(self, request: HttpRequest, acks: list[AckFile], *, took: bool) -> HttpResponse:
        """The form carries what the page or list showed: what changes while people read it is left out."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        hidden = [(SEEN, request.POST.get(SEEN, ""))]
        if chosen:
            hidden = [("action", ACTIONS[took]), *((ACTION_CHECKBOX_NAME, pk) for pk in chosen)]
            hidden += [(row_field(pk), request.POST.get(row_field(pk), "")) for pk in chosen]
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": TITLES[took],
            "consequence": CONSEQUENCES[took],
            "acks": acks,
            "hidden": hidden,
            "back": request.path if chosen else self.page_url(acks[0]),
        }
        return TemplateResponse(request, "exports/conflict.html", context)
