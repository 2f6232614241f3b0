"""Admin pages that show a person the rows of the own organization, and allow what the person's role allows."""

import uuid
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import RelatedFieldListFilter
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IS_POPUP_VAR
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.admin import TabularInline
from unfold.paginator import InfinitePaginator

from orderflow.admin import first_organization
from orderflow.admin.declared_list import DeclaredListAdmin
from orderflow.admin.first_organization import ROW
from orderflow.admin.form_fields import ADMIN_FIELDS
from orderflow.admin.history import HistoryAdmin
from orderflow.tenancy.audit import record
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may, organization_of, scoped

ORGANIZATION = "organization"


class ScopedAdmin:
    """For a page and for an inline alike. What no action is named for, nobody may do here."""

    formfield_overrides = ADMIN_FIELDS
    # Leads from a row to its organization.
    organization_path: ClassVar[str] = ORGANIZATION
    needed_to_add: ClassVar[Action | None] = None
    needed_to_change: ClassVar[Action | None] = None
    needed_to_delete: ClassVar[Action | None] = None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Action.READ)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.needed_to_add is not None and may(request.user, self.needed_to_add)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.needed_to_change is not None and may(request.user, self.needed_to_change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.needed_to_delete is not None and may(request.user, self.needed_to_delete)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = super().get_queryset(request)  # type: ignore[misc] # a mixin in front of Django's admin classes
        return scoped(rows, request.user, path=self.organization_path)

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Only rows of the related model's own admin page can be chosen, so a model without one cannot leak."""
        related = self.admin_site.get_model_admin(db_field.related_model)  # type: ignore[attr-defined] # as above
        kwargs.setdefault("queryset", related.get_queryset(request))
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc] # as above
        if db_field.name == ORGANIZATION and field:
            _fix_organization(field, request)
        return field


def _fix_organization(field: "forms.ModelChoiceField[Any]", request: HttpRequest) -> None:
    """A superuser picks one; for everybody else it is the own, whatever the browser sends."""
    if not getattr(request.user, "is_superuser", False):
        field.disabled, field.initial, field.widget = True, organization_of(request.user), forms.HiddenInput()


class OwnRowsFilter(RelatedFieldListFilter):
    """A filter by a related row that offers only the rows that the person may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        rows = model_admin.admin_site.get_model_admin(field.related_model).get_queryset(request)
        return [(row.pk, str(row)) for row in rows]


class ScopedModelAdmin(ScopedAdmin, DeclaredListAdmin, HistoryAdmin):
    # Counting a million rows takes longer than showing a hundred.
    paginator = InfinitePaginator
    show_full_result_count = False
    list_disable_select_all = True
    show_facets = False
    list_filter_submit = False
    # Of "add" and "edit": those whose service writes the audit line, in the same transaction as the change.
    audits_itself: ClassVar[frozenset[str]] = frozenset()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """By way of the first organization, where the row would belong to one and there is none."""
        away = first_organization.detour(request) if self._has_organization() else None
        page: HttpResponse = away or super().add_view(request, form_url, extra_context)
        return page

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """Back to where the form was opened from, where its address says so."""
        page: HttpResponse = super().response_add(request, obj, post_url_continue)
        back = first_organization.way_back(request)
        stays = {"_continue", "_addanother", IS_POPUP_VAR} & set(request.POST)
        return HttpResponseRedirect(back.replace(ROW, str(obj.pk))) if back and not stays else page

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == ORGANIZATION and field and field.initial is None:
            field.initial = first_organization.only_organization()
        return field

    def _has_organization(self) -> bool:
        return any(field.name == ORGANIZATION for field in self.opts.fields)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Another organization's row does not exist, before anybody asks for permissions."""
        row = super().get_object(request, object_id, from_field)
        if row is None:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id}.")
        return row

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None and ORGANIZATION in form.base_fields:
            # A row never moves to another organization. Disabled, not read-only: constraints still see it.
            form.base_fields[ORGANIZATION].disabled = True
        return form

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return _without_organization(super().get_list_display(request), request)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return _without_organization(super().get_list_filter(request), request)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        entry: LogEntry = super().log_addition(request, obj, message)
        self._audit(request, obj, "add", entry)
        return entry

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        entry: LogEntry = super().log_change(request, obj, message)
        self._audit(request, obj, "edit", entry)
        return entry

    def _audit(self, request: HttpRequest, obj: Any, verb: str, entry: LogEntry) -> None:
        organization_id = None if verb in self.audits_itself else self._organization_id(obj)
        if organization_id:
            record(
                organization_id,
                actor(request),
                f"{verb} {self.opts.verbose_name}",
                obj,
                changes=entry.get_change_message(),
            )

    def _organization_id(self, obj: Any) -> uuid.UUID | None:
        for step in self.organization_path.split("__"):
            obj = getattr(obj, step, None)
        organization_id: uuid.UUID | None = getattr(obj, "pk", obj)
        return organization_id


class ScopedTabularInline(ScopedAdmin, TabularInline):  # type: ignore[misc] # unfold has no types
    extra = 0
    # A field that tells a row from the others of its parent, also if a new row has taken its place.
    known_by: ClassVar[str] = ""


def may_edit_members(request: HttpRequest) -> bool:
    return may(request.user, Action.EDIT_MEMBERS)


def may_read(request: HttpRequest) -> bool:
    return may(request.user, Action.READ)


def actor(request: HttpRequest) -> str:
    return request.user.get_username()


def _without_organization(names: Any, request: HttpRequest) -> list[Any]:
    """A column or filter that would say the same in every row."""
    everything = getattr(request.user, "is_superuser", False)
    return [name for name in names if everything or name != ORGANIZATION]
