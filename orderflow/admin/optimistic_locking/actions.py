"""Buttons and actions on a list that run on a row only as its page or list showed it."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from orderflow.admin.optimistic_locking.forms import SeenAdmin
from orderflow.admin.optimistic_locking.row_version import SEEN, Seen, parse, row_field

# Of the rows of a list that were changed.
NAMED = 10


class SeenActions(SeenAdmin):
    # Actions that talk to a server: no transaction is held open for them.
    unlocked_actions: ClassVar[frozenset[str]] = frozenset()

    def unlocked(self) -> frozenset[str]:
        return self.unlocked_actions

    def run_as_seen(
        self, request: HttpRequest, row: Any, run: Callable[[], HttpResponse | None], *, action: str = ""
    ) -> HttpResponse | None:
        """What `run` returns, if the page that sent the request shows the row as it is, which stays so while `run`
        works. Else nothing is done and a message names who changed what."""
        lock = action not in self.unlocked()
        with self._held(lock):
            if self.is_seen(request, row, lock=lock):
                return run()
        changes = self.seen_changes(request, row, parse(request.POST.get(SEEN, "")))
        text = (
            f"Nothing was done: {row} was changed since this page was loaded. {changes} Look at it again, then decide."
        )
        messages.add_message(request, messages.INFO if changes.are_own else messages.WARNING, text)
        return None

    def response_action(self, request: HttpRequest, queryset: "models.QuerySet[Any]") -> HttpResponse | None:
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not chosen:
            return super().response_action(request, queryset)  # type: ignore[no-any-return] # unfold has no types
        lock = not self.unlocked().intersection(request.POST.getlist("action"))
        with self._held(lock):
            same = self._as_listed(request, chosen, lock=lock)
            page: HttpResponse | None = super().response_action(request, queryset.filter(pk__in=same)) if same else None
            return page

    def _held(self, lock: bool) -> AbstractContextManager[Any]:
        return transaction.atomic() if lock else nullcontext()

    def _as_listed(self, request: HttpRequest, chosen: list[str], *, lock: bool) -> list[Any]:
        """The keys of those that are as the list showed them; of the others, a message says who changed what."""
        same, changed = [], []
        for row in self._seen_rows(self._visible(request, chosen), lock=lock):
            seen = parse(request.POST.get(row_field(row.pk), ""))
            if seen and seen.digest == self.seen_in_list(row).digest:
                same.append(row.pk)
            else:
                changed.append((row, seen))
        if changed:
            messages.warning(request, self._left_out(request, changed))
        return same

    def _visible(self, request: HttpRequest, chosen: list[str]) -> Iterable[Any]:
        try:
            return list(self.get_queryset(request).filter(pk__in=chosen).values_list("pk", flat=True))
        except (ValueError, ValidationError):
            return []

    def _left_out(self, request: HttpRequest, changed: list[tuple[Any, Seen | None]]) -> str:
        told = " ".join(f"{row}: {self.seen_changes(request, row, seen)}" for row, seen in changed[:NAMED])
        more = f" And {len(changed) - NAMED} more." if len(changed) > NAMED else ""
        return f"{len(changed)} left out, changed since the list was loaded. {told}{more} Look again, then decide."

    def action_checkbox(self, obj: Any) -> SafeString:
        seen = self.seen_in_list(obj)
        box = super().action_checkbox(obj)
        return format_html(
            '{}<input type="hidden" name="{}" value="{}" autocomplete="off">', box, row_field(obj.pk), seen
        )

    action_checkbox.short_description = ModelAdmin.action_checkbox.short_description  # type: ignore[attr-defined]
