"""The version of what an admin page shows. A form that was sent from an older version saves nothing and shows both."""

import json
from collections.abc import Iterable
from copy import copy
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import flatten_fieldsets, quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.forms.models import _get_foreign_key
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin

from orderflow.admin.optimistic_locking import resubmission
from orderflow.admin.optimistic_locking.differences import Difference, typed_values
from orderflow.admin.optimistic_locking.form_data import Values, rendered_values
from orderflow.admin.optimistic_locking.rebase import Rebased
from orderflow.admin.optimistic_locking.row_version import (
    SEEN,
    SEEN_VALUES,
    Changes,
    Seen,
    changes_since,
    column_values,
    digest_of,
    parse,
)

# On the request: what was sent is shown again, and not saved.
_NOT_SAVED = "seen_admin_not_saved"


class SeenAdmin(ModelAdmin):  # type: ignore[misc] # unfold has no types
    change_form_before_template = "tenancy/seen.html"
    # Columns that change without a change of what people decide about.
    seen_without: ClassVar[frozenset[str]] = frozenset()
    # Rows that the page shows parts of, by the names of their foreign keys.
    seen_related: ClassVar[tuple[str, ...]] = ()

    def seen_values(self, row: Any) -> dict[str, Any]:
        """What is part of the row's version."""
        related = {name: getattr(row, name) for name in self.seen_related}
        shown = {name: column_values(other, without=frozenset()) if other else None for name, other in related.items()}
        return {**column_values(row, without=self.seen_without), **shown}

    def seen_in_list(self, row: Any) -> Seen:
        """Without the inlines' rows, which a list does not show; where they change, so does a time on the row."""
        return Seen(digest=digest_of(self.seen_values(row)), at=timezone.now())

    def seen_now(self, key: Any, *, lock: bool = False) -> Seen | None:
        """The version of the row's page; with `lock`, it stays so until the transaction ends. None: no such row."""
        at = timezone.now()
        row = next(iter(self._seen_rows([key], lock=lock)), None)
        return Seen(digest=self._digest_of_page(row), at=at) if row else None

    def _seen_rows(self, keys: Iterable[Any], *, lock: bool) -> list[Any]:
        rows = self.model._default_manager.filter(pk__in=list(keys)).order_by("pk").defer(*self.seen_without)
        if lock:
            rows = rows.select_for_update(of=("self",), no_key=True)
        try:
            # Not joined: PostgreSQL would join the row's old values if it waited for the lock.
            return list(rows.prefetch_related(*self.seen_related))
        except (ValueError, ValidationError):
            return []

    def _digest_of_page(self, row: Any) -> str:
        # A time that every save sets says nothing about what was saved.
        times = {f.attname for f in self.opts.concrete_fields if getattr(f, "auto_now", False)}
        values = {name: value for name, value in self.seen_values(row).items() if name not in times}
        return digest_of([values, *(self._inline_values(inline, row) for inline in self.all_inlines())])

    def all_inlines(self) -> list[Any]:
        return list(self.inlines)

    def _inline_values(self, inline: Any, row: Any) -> list[Any]:
        parent = _get_foreign_key(self.model, inline.model, fk_name=inline.fk_name)
        rows = inline.model._default_manager.filter(**{parent.name: row}).order_by("pk")
        return list(rows.values_list(*[field.attname for field in inline.model._meta.concrete_fields]))

    def seen_changes(self, request: HttpRequest, row: Any, seen: Seen | None) -> Changes:
        """Who changed the row, or what the page shows of others, after it was loaded."""
        related = [other for other in (getattr(row, name) for name in self.seen_related) if other]
        return changes_since([row, *related], seen.at if seen else None, viewer=request.user.get_username())

    def is_seen(self, request: HttpRequest, row: Any, *, lock: bool = True) -> bool:
        """Whether the request comes from a page that shows the row as it is."""
        now, seen = self.seen_now(row.pk, lock=lock), parse(request.POST.get(SEEN, ""))
        return bool(now and seen and now.digest == seen.digest)

    def _changeform_view(self, request: HttpRequest, object_id: str | None, form_url: str, extra_context: Any) -> Any:
        if object_id is None:
            return super()._changeform_view(request, object_id, form_url, extra_context)
        # Before the row is read: the page never carries a newer version than it shows.
        key = unquote(object_id)
        if request.method == "POST":
            key = self.get_object(request, key).pk
        now, seen = self.seen_now(key, lock=request.method == "POST"), parse(request.POST.get(SEEN, ""))
        context = {**(extra_context or {}), "seen": now}
        if request.method == "POST" and not (now and seen and now.digest == seen.digest):
            row = self.get_object(request, unquote(object_id))
            return self._stale_form(request, row, form_url, context)
        return super()._changeform_view(request, object_id, form_url, context)

    def _stale_form(self, request: HttpRequest, row: Any, form_url: str, context: dict[str, Any]) -> HttpResponse:
        saved = resubmission.earlier(request, row)
        if saved:
            changes = self.seen_changes(request, row, Seen(digest="", at=saved.action_time)).of_others()
            messages.info(request, _saved_already(row, saved, changes))
            return HttpResponseRedirect(request.get_full_path())
        if self.has_change_permission(request, row):
            differences = self._rebase(request, row)
        elif self.has_change_permission(request):
            differences = typed_values(request.POST, _values_seen(request))
            request = _as_get(request)
        else:
            raise PermissionDenied
        changes = self.seen_changes(request, row, parse(request.POST.get(SEEN, "")))
        context |= {"conflict": {"row": row, "changes": changes, "differences": differences}}
        page: HttpResponse = super()._changeform_view(request, quote(str(row.pk)), form_url, context)
        return page

    def _rebase(self, request: HttpRequest, row: Any) -> list[Difference]:
        """Lay what was entered over what is stored now, to be shown and not to be saved."""
        rebased = Rebased(posted=request.POST, base=_values_seen(request))
        fields = flatten_fieldsets(self.get_fieldsets(request, row))
        rebased.add_form(self.get_form(request, row, change=True, fields=fields)(instance=row))
        formsets, inlines = self._create_formsets(_as_get(request), row, change=True)
        for formset, inline in zip(formsets, inlines, strict=True):
            rebased.add_formset(formset, known_by=inline.known_by, name=str(inline.verbose_name))
        request.POST = rebased.data  # type: ignore[assignment] # a copy that may still be changed
        setattr(request, _NOT_SAVED, True)
        return rebased.differences

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if hasattr(request, _NOT_SAVED):
            kwargs["form"] = _not_to_be_saved(kwargs.get("form") or self.form)
        return super().get_form(request, obj, change, **kwargs)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        # Who may not change the row may not see all of the form either.
        if context.get("seen") and self.has_change_permission(request, context["original"]):
            rows = [form for inline in context["inline_admin_formsets"] for form in inline.formset.initial_forms]
            values = [rendered_values(form) for form in (context["adminform"].form, *rows)]
            context["seen_values"] = json.dumps({name: value for each in values for name, value in each.items()})
        page: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return page

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        message = super().construct_change_message(request, form, formsets, add)
        return message if add else resubmission.noted(request, message)


def _not_to_be_saved(form: type[forms.BaseModelForm[Any]]) -> type[forms.BaseModelForm[Any]]:
    def is_valid(self: Any) -> bool:
        # For the errors, which people see beside the conflict.
        form.is_valid(self)
        return False

    return type(form.__name__, (form,), {"is_valid": is_valid})


def _as_get(request: HttpRequest) -> HttpRequest:
    plain = copy(request)
    plain.method = "GET"
    return plain


def _values_seen(request: HttpRequest) -> Values:
    """As the page had them; empty if it says nothing that can be understood."""
    try:
        values = json.loads(request.POST.get(SEEN_VALUES, ""))
    except ValueError:
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: [str(text) for text in value] for name, value in values.items() if isinstance(value, list)}


def _saved_already(row: models.Model, saved: LogEntry, changes: Changes) -> str:
    text = f"Your changes to {row} were saved already, at {localtime(saved.action_time):%H:%M:%S}; not again now."
    return f"{text} Since then: {changes}" if changes.entries else text
