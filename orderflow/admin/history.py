"""The History of a row: what people did to it, by whichever way, as the audit has it."""

from typing import Any, ClassVar

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from orderflow.admin.optimistic_locking.actions import SeenActions
from orderflow.tenancy.models import VALUES, AuditEntry
from orderflow.tenancy.scope import scoped

SHOWN = 200


class HistoryAdmin(SeenActions):
    # Whether the page offers a history; rows that nobody changes have none.
    has_history: ClassVar[bool] = True

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's own knows only what was done by the admin's forms."""
        row = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": f"History: {row}",
            "opts": self.opts,
            "object": row,
            "entries": [(entry, details_of(entry)) for entry in _entries(request, row)],
            "shown": SHOWN,
            "created_at": getattr(row, "created_at", None),
            "created_by": getattr(row, "created_by", ""),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "tenancy/history.html", context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["show_history"] = context.get("show_history") and self.has_history
        return super().render_change_form(request, context, *args, **kwargs)


def details_of(entry: AuditEntry) -> str:
    """The entry's details, without values that only the row's own page may show."""
    return "; ".join(f"{name}: {value}" for name, value in entry.detail.items() if value and name != VALUES)


def _entries(request: HttpRequest, row: Any) -> list[AuditEntry]:
    entries = AuditEntry.objects.filter(subject_type=row._meta.model_name, subject_id=str(row.pk))
    return list(scoped(entries, request.user).order_by("-id")[:SHOWN])
