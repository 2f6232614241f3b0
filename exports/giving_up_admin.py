"""Giving up in the admin the wait for an acknowledgement."""

from collections.abc import Iterator

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
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
GIVING_UP = "Each export becomes FAILED, and its order can be retried, which sends it again."


class GivingUpAdmin(ReasonedAdmin):
    def giving_up_buttons(self, export: ERPExport) -> Iterator[Button]:
        if export.status == ExportStatus.SENT:
            unread = unread_acks.named(unread_acks.waiting_for(ERPExport.objects.filter(pk=export.pk)))
            asked = f"{unread} is about this order and unread. Why it does not count" if unread else WHY_GIVE_UP
            yield Button(action="give_up", label="Give up", icon="cancel", ask=asked)

    @admin.action(description="Give up waiting for the answer", permissions=["push"])
    def give_up(self, request: HttpRequest, rows: models.QuerySet[ERPExport]) -> HttpResponse | None:
        """From the list, a page asks first where a file that may be about one of them was not read. A button's own page
        names that file beside the button."""
        who, reason = actor(request), request.POST.get("reason", "").strip()[:300] or "no answer came."
        sent = rows.filter(status=ExportStatus.SENT)
        unread = unread_acks.advice(sent)
        if unread and ACTION_CHECKBOX_NAME in request.POST and "confirmed" not in request.POST:
            return self.ask_reason(request, sent, title="Give up", consequence=GIVING_UP, ask=WHY_GIVE_UP)
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
