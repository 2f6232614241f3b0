"""Giving up in the admin the wait for an acknowledgement."""

from collections.abc import Iterator

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse

from exports import giving_up, unread_acks
from exports.models import ERPExport
from exports.push_service import PushRefused
from exports.reasoned_admin import ReasonedAdmin
from exports.transitions import ExportStatus
from orderflow.tenancy.admin_page import Button
from orderflow.tenancy.scoped_admin import actor

WHY_GIVE_UP = "Why no answer will come"
GIVING_UP = (
    "Each export becomes FAILED and its order goes to Error. If the ERP has the order, a retry makes it a second one. "
    "Check in the ERP first."
)


class GivingUpAdmin(ReasonedAdmin):
    def giving_up_buttons(self, export: ERPExport) -> Iterator[Button]:
        # Without a time until which one is expected, no acknowledgement is waited for.
        if export.status == ExportStatus.SENT and export.answer_due_at:
            yield Button(action="give_up", label="Give up…", icon="cancel")

    @admin.action(description="Give up waiting for the answer", permissions=["push"])
    def give_up(self, request: HttpRequest, rows: models.QuerySet[ERPExport]) -> HttpResponse | None:
        """A page asks first, and names the files that may be about one of them and were not read."""
        sent = rows.filter(status=ExportStatus.SENT)
        reason = self.confirmed_reason(request)
        if sent.exists() and not reason:
            return self.ask_reason(request, sent, title="Give up", consequence=GIVING_UP, ask=WHY_GIVE_UP)
        who, unread = actor(request), unread_acks.advice(sent)
        self.run_each(
            request,
            rows,
            lambda export: giving_up.give_up(export, actor=who, reason=reason),
            done="given up. The ERP may have the orders: look before you retry",
            refusal=PushRefused,
        )
        if unread:
            messages.warning(request, unread)
        return None
