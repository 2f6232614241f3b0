"""What the admin's pages say and offer beside their fields: notes, buttons that POST, badges, counted actions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.utils import model_ngettext, unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.defaultfilters import pluralize
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from unfold.widgets import SELECT_CLASSES

from orderflow.admin.optimistic_locking.row_version import Changes
from orderflow.admin.scoped import ScopedModelAdmin
from orderflow.tenancy.models import AuditEntry
from orderflow.tenancy.scope import scoped

# Of so many refusals each is told in words; the rest is counted.
REFUSALS_TOLD = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """`level` names one of unfold's message boxes: info, success, warning, error. `href` leads to the next step, and
    `link` names it."""

    level: str
    text: str
    href: str = ""
    link: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of `options`, which are values with their labels. Without `chosen`, the person has to pick one."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    chosen: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    """Runs the list action `action` on the page's row. `ask` is the label of a text that goes with it, or empty;
    `choice` goes with it too."""

    action: str
    label: str
    variant: str = "default"
    icon: str = ""
    ask: str = ""
    choice: Choice | None = None


class PageAdmin(ScopedModelAdmin):
    """A change page with notes and buttons above its form."""

    actions: ClassVar[tuple[str, ...]] = ()
    change_form_outer_before_template: ClassVar[str] = "tenancy/above_the_form.html"

    def notes(self, request: HttpRequest, obj: Any) -> Iterable[Note]:
        return ()

    def buttons(self, request: HttpRequest, obj: Any) -> Iterable[Button]:
        """Those that make sense for the row as it is; what the person may not do is left out afterwards."""
        return ()

    def all_notes(self, request: HttpRequest, obj: Any) -> Iterable[Note]:
        return self.notes(request, obj)

    def all_buttons(self, request: HttpRequest, obj: Any) -> Iterable[Button]:
        return self.buttons(request, obj)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.run_button)
        return [path("<path:object_id>/do/<slug:action>/", view, name=self.url_name("do")), *super().get_urls()]

    def run_button(self, request: HttpRequest, object_id: str, action: str) -> HttpResponse:
        """A list action on one row: the same code, the same permission, the same words."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            row = self.get_object(request, unquote(object_id))
        except Http404:
            return self._gone(request, unquote(object_id))
        allowed = self.get_actions(request)
        if action not in allowed:
            raise PermissionDenied
        run, _name, _description = allowed[action]
        rows = self.get_queryset(request).filter(pk=row.pk)
        page = self.run_as_seen(request, row, lambda: run(self, request, rows), action=action)
        return page or HttpResponseRedirect(self.page_url(row))

    def _gone(self, request: HttpRequest, key: str) -> HttpResponse:
        """For a row that was deleted after its page was loaded. Raises `Http404` for one that never was."""
        entries = AuditEntry.objects.filter(subject_type=self.opts.model_name, subject_id=key)
        last = scoped(entries, request.user).order_by("-id")[:1]
        if not last or self.model._default_manager.filter(pk=key).exists():
            raise Http404(f"There is no {self.opts.verbose_name} {key}.")
        changes = Changes(entries=list(last), viewer=request.user.get_username())
        messages.info(request, f"Nothing was done: this {self.opts.verbose_name} is gone. {changes}")
        return HttpResponseRedirect(reverse(f"admin:{self.url_name('changelist')}"))

    def page_url(self, row: Any) -> str:
        return reverse(f"admin:{self.url_name('change')}", args=[row.pk])

    def url_name(self, view: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{view}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None and "conflict" not in context:
            context["page_notes"] = list(self.all_notes(request, obj))
            context["page_buttons"] = list(self._allowed_buttons(request, obj))
            context["select_classes"] = " ".join(SELECT_CLASSES)
        page: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return page

    def _allowed_buttons(self, request: HttpRequest, obj: Any) -> Iterator[tuple[Button, str]]:
        allowed = self.get_actions(request)
        for button in self.all_buttons(request, obj):
            if button.action in allowed:
                yield button, reverse(f"admin:{self.url_name('do')}", args=[obj.pk, button.action])

    def run_each(
        self,
        request: HttpRequest,
        rows: Iterable[Any],
        work: Callable[[Any], object],
        *,
        done: str,
        refusal: type[Exception] | tuple[type[Exception], ...],
        what: str = "",
    ) -> None:
        """Do `work` on each row; then say how many are `done` and why the others were refused. `what` the rows are, if
        they are not the page's own."""
        count, refusals = 0, []
        for row in rows:
            try:
                work(row)
            except refusal as error:
                refusals.append(str(error))
            else:
                count += 1
        if count:
            named = f"{what}{pluralize(count)}" if what else model_ngettext(self.opts, count)
            messages.success(request, f"{count} {named} {done}.")
        if refusals:
            messages.warning(request, _refusal_text(refusals))


def _refusal_text(refusals: list[str]) -> str:
    more = len(refusals) - REFUSALS_TOLD
    told = " ".join(refusals[:REFUSALS_TOLD])
    return f"{len(refusals)} refused. {told}" + (f" And {more} more." if more > 0 else "")


def badge(text: str, variant: str = "", *, since: datetime | None = None) -> SafeString:
    """`since` is told as the time that has gone by, and by the clock to who points at it."""
    label = render_to_string("unfold/helpers/label.html", {"text": text, "variant": variant})
    if since is None:
        return label
    ago = "just now" if timezone.now() - since < timedelta(minutes=1) else f"{timesince(since, depth=1)} ago"
    clock = date_format(timezone.localtime(since), "Y-m-d H:i:s")
    return format_html('{} <span class="text-xs whitespace-nowrap" title="{}">{}</span>', label, clock, ago)


def page_link(row: Any) -> SafeString | str:
    """A link to the row's own page, or an empty string for no row."""
    if row is None:
        return ""
    url = change_url(row)
    return format_html('<a href="{}" class="text-primary-600 whitespace-nowrap dark:text-primary-400">{}</a>', url, row)


def change_url(row: models.Model) -> str:
    """The path of the row's own page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
