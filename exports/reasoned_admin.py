"""Actions of the admin that a person confirms with a reason: a page says what follows, and asks."""

from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from exports import unread_acks, withdrawing
from exports.bulk.list_admin import BulkListAdmin
from exports.models import ERPExport
from orderflow.tenancy.seen import SEEN, row_field

# Of a person's words; the rest of the message's column says who did what.
REASON_LENGTH = 300


class ReasonedAdmin(BulkListAdmin):
    def confirmed_reason(self, request: HttpRequest) -> str:
        """Empty until the person has confirmed and entered one."""
        return request.POST.get("reason", "").strip()[:REASON_LENGTH] if "confirmed" in request.POST else ""

    def ask_reason(
        self, request: HttpRequest, rows: models.QuerySet[ERPExport], *, title: str, consequence: str, ask: str
    ) -> HttpResponse:
        """The page on which a person confirms for `rows`. It carries the versions of the page or list that it was
        opened from: what changes while the person reads is left out. Names the ERP's unread files that may be about
        those of `rows` that an attempt may have brought to the ERP."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        hidden = [(SEEN, request.POST.get(SEEN, ""))]
        if chosen:
            hidden = [("action", request.POST.get("action", "")), *((ACTION_CHECKBOX_NAME, pk) for pk in chosen)]
            hidden += [(row_field(pk), request.POST.get(row_field(pk), "")) for pk in chosen]
        exports = list(rows.select_related("draft_order"))
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "consequence": consequence,
            "advice": unread_acks.advice(withdrawing.touched(rows), ask=""),
            "ask": ask,
            "exports": exports,
            "hidden": hidden,
            "back": request.path if chosen else self.page_url(exports[0]),
        }
        return TemplateResponse(request, "exports/decision.html", context)
