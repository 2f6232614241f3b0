"""The organizations' admin page with who is told by e-mail when something is wrong."""

from collections.abc import Iterator

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest

from exports.notices.incident_admin import IncidentAdmin as IncidentAdmin  # noqa: PLC0414 - it is one of the pages
from exports.notices.models import Recipient
from orderflow.tenancy.admin import OrganizationAdmin
from orderflow.tenancy.admin_page import Note, PageAdmin
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scoped_admin import ScopedTabularInline, may_edit_members

admin.site.unregister(Organization)


class RecipientInline(ScopedTabularInline):
    model = Recipient
    known_by = "email"
    needed_to_add = needed_to_change = needed_to_delete = Action.EDIT_MEMBERS


@admin.register(Organization)
class NotifiedOrganizationAdmin(PageAdmin, OrganizationAdmin):
    inlines = (RecipientInline,)

    def notes(self, request: HttpRequest, obj: Organization) -> Iterator[Note]:
        if not settings.EMAIL_URL and may_edit_members(request):
            text = "No e-mail leaves this server: EMAIL_URL is not set. Its operator can set it."
            yield Note(level="info", text=text)
