from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from exports.acks import unresolved as unresolved_acks
from exports.incidents import detector, items
from exports.incidents.detector import NotResolvable
from exports.incidents.detectors import components
from exports.incidents.messages import what_to_do
from exports.incidents.models import Incident
from exports.models import Verdict
from orderflow.admin.optimistic_locking.row_version import Seen, digest_of
from orderflow.admin.pages import Button, Note, PageAdmin, badge
from orderflow.admin.permissions import PushPermission
from orderflow.admin.scoped import actor

Kind = Incident.Kind


class OpenIncidents(admin.SimpleListFilter):
    title = "open"
    parameter_name = "open"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Open"), ("no", "Resolved")]

    def queryset(self, _request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(closed_at__isnull=self.value() == "yes")


@admin.register(Incident)
class IncidentAdmin(PushPermission, PageAdmin):
    actions = ("resolve",)
    # What is sent to whom while people look is no change of the incident.
    seen_without = frozenset({"notified_at", "closing_notified_at", "digest_at", "tried_at"})
    list_display = ("opened_at", "state", "kind", "what", "reason", "closed_at", "organization")
    list_display_links = ("opened_at",)
    list_filter = ("organization", OpenIncidents, "kind")
    list_filter_submit = True
    list_select_related = ("organization", "connection")
    sortable_by = ()
    fields = (("kind", "state"), ("what", "see"), "reason", ("opened_at", "closed_at"), "resolved_by")

    def seen_values(self, row: Incident) -> dict[str, Any]:
        """With the files that the button resolves: one that came, or got another verdict, after the page was loaded has
        been seen by nobody."""
        return {**super().seen_values(row), "files": list(detector.acks_of(row).values_list("pk", "verdict"))}

    def seen_in_list(self, row: Incident) -> Seen:
        """A list shows no files, and resolves none."""
        return Seen(digest=digest_of(super().seen_values(row)), at=timezone.now())

    def notes(self, request: HttpRequest, obj: Incident) -> Iterator[Note]:
        if obj.closed_at is None:
            yield Note(level="warning", text=what_to_do(obj))
        if conflicts := _conflicts(obj):
            yield Note(level="warning", text=unresolved_acks.to_decide(conflicts))
        if obj.details and request.user.is_superuser:
            yield Note(level="info", text=obj.details)

    def buttons(self, request: HttpRequest, obj: Incident) -> Iterator[Button]:
        if obj.closed_at is None and obj.kind in (Kind.ACKS, *components.RESOLVABLE):
            conflicts = _conflicts(obj)
            files = detector.acks_of(obj).count() - conflicts
            label = f"Mark all {files:,} files as resolved" if files > 1 else "Mark as resolved"
            if files or not conflicts:
                yield Button(action="resolve", label=label, variant="primary", icon="check")

    @admin.action(description="Mark as resolved", permissions=["push"])
    def resolve(self, request: HttpRequest, rows: models.QuerySet[Incident]) -> None:
        who = actor(request)
        if request.POST.getlist(ACTION_CHECKBOX_NAME):
            rows = self._without_files(request, rows)
        else:
            rows = self._without_conflicts(request, rows)
        self.run_each(
            request, rows, lambda each: detector.resolve(each, actor=who), done="resolved", refusal=NotResolvable
        )

    def _without_files(self, request: HttpRequest, rows: models.QuerySet[Incident]) -> models.QuerySet[Incident]:
        for incident in rows.filter(kind=Kind.ACKS, closed_at=None):
            messages.warning(request, f"{incident}: open it and look at its files, then resolve it there.")
        return rows.exclude(kind=Kind.ACKS)

    def _without_conflicts(self, request: HttpRequest, rows: models.QuerySet[Incident]) -> models.QuerySet[Incident]:
        """Of an incident with files that contradict each other, the other files are resolved, and it stays open."""
        for incident in rows.filter(kind=Kind.ACKS, closed_at=None):
            conflicts = _conflicts(incident)
            if conflicts and incident.connection_id:
                done = unresolved_acks.resolve_all(
                    incident.organization_id, incident.connection_id, actor=actor(request)
                )
                told = f"{done:,} file{pluralize(done)} marked as resolved. {unresolved_acks.to_decide(conflicts)}"
                messages.warning(request, told)
                rows = rows.exclude(pk=incident.pk)
        return rows

    @admin.display(description="state")
    def state(self, incident: Incident) -> SafeString:
        if incident.closed_at is None:
            return badge("Open", "danger", since=incident.opened_at)
        return badge("Resolved", "success", since=incident.closed_at)

    @admin.display(description="about")
    def what(self, incident: Incident) -> str:
        return incident.about or str(incident.organization)

    @admin.display(description="orders or files")
    def see(self, incident: Incident) -> SafeString:
        style = "text-primary-600 dark:text-primary-400"
        count = detector.acks_of(incident).count()
        text = f"Open the list of {count:,} file{pluralize(count)}" if count else "Open the list or page"
        return format_html('<a href="{}" class="{}">{}</a>', items.page(incident), style, text)


def _conflicts(incident: Incident) -> int:
    return sum(verdict == Verdict.CONFLICT for verdict in detector.acks_of(incident).values_list("verdict", flat=True))
