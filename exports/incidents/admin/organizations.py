"""The organizations' admin page with who receives an e-mail when something is wrong, and whether it reaches them."""

from collections.abc import Iterator

from django.conf import settings
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest

from exports.incidents import recipients
from exports.incidents.models import Recipient
from orderflow.admin.extensions import PageExtension
from orderflow.admin.pages import Button, Note
from orderflow.admin.scoped import ScopedTabularInline, actor, may_edit_members
from orderflow.tenancy.audit import record
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Action


class RecipientInline(ScopedTabularInline):
    model = Recipient
    known_by = "email"
    needed_to_add = needed_to_change = needed_to_delete = Action.EDIT_MEMBERS


class OrganizationRecipients(PageExtension):
    actions = ("send_test_email",)
    unlocked_actions = frozenset({"send_test_email"})
    inlines = (RecipientInline,)

    def has_members_permission(self, request: HttpRequest) -> bool:
        return may_edit_members(request)

    def notes(self, request: HttpRequest, obj: Organization) -> Iterator[Note]:
        if not may_edit_members(request):
            return
        if not settings.EMAIL_URL:
            text = "No e-mail leaves this server: EMAIL_URL is not set. The server's administrator can set it."
            yield Note(level="info", text=text)
        for gap in recipients.gaps(Organization.objects.filter(pk=obj.pk), most=len(recipients.SWITCHES)):
            yield Note(level="warning", text=gap.text)

    def buttons(self, request: HttpRequest, obj: Organization) -> Iterator[Button]:
        if settings.EMAIL_URL and obj.notice_recipients.exists():
            yield Button(action="send_test_email", label="Send a test e-mail", icon="mail")

    @admin.action(description="Send a test e-mail to the recipients of notices", permissions=["members"])
    def send_test_email(self, request: HttpRequest, rows: models.QuerySet[Organization]) -> None:
        if not settings.EMAIL_URL:
            messages.error(
                request, "No e-mail leaves this server: EMAIL_URL is not set. The server's administrator can set it."
            )
            return
        for organization in rows:
            addresses, problem = recipients.send_test(organization, actor=actor(request))
            record(organization.pk, actor(request), "send test e-mail", organization)
            if addresses:
                accepted = f"The mail server accepted the test e-mail to {', '.join(addresses)}."
                messages.success(request, f"{organization}: {accepted} Check that it arrives.")
            if problem:
                messages.error(request, f"{organization}: {problem}")
