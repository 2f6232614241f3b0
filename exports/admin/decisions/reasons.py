"""Actions of the admin that a person confirms with a reason: a page says what follows, and asks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from exports.acks import unread as unread_acks
from exports.decisions import withdraw
from exports.models import ERPExport
from orderflow.admin.optimistic_locking.row_version import SEEN, row_field
from orderflow.admin.pages import PageAdmin
from orderflow.admin.scoped import actor

# Of a person's words; the rest of the message's column says who did what.
REASON_LENGTH = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """`title` names the action, `consequence` says what follows from it, and `ask` which reason is asked for."""

    title: str
    consequence: str
    ask: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A row as the page lists it: a link, and what is behind it."""

    url: str
    label: str
    text: str


class ReasonedAdmin(PageAdmin):
    def line(self, row: Any) -> Line:
        raise NotImplementedError

    def advice_on(self, rows: Sequence[Any]) -> str:
        """What a person has to know before confirming for `rows`; empty for nothing."""
        return ""

    def confirmed_reason(self, request: HttpRequest) -> str:
        """Empty until the person has confirmed and entered one."""
        return request.POST.get("reason", "").strip()[:REASON_LENGTH] if "confirmed" in request.POST else ""

    def run_with_reason(
        self,
        request: HttpRequest,
        rows: Iterable[Any],
        concerned: Iterable[Any],
        question: Question,
        work: Callable[..., object],
        *,
        done: str,
        refusal: type[Exception],
    ) -> HttpResponse | None:
        """Do `work(row, actor=…, reason=…)` on each of `rows` once the person has confirmed; the page that asks until
        then. It lists those of `rows` that the action is `concerned` with: where it is with none, no page asks, and
        each row is refused with its cause."""
        reason = self.confirmed_reason(request)
        if not reason and (found := list(concerned)):
            return self._page(request, found, question)
        who = actor(request)
        self.run_each(request, rows, lambda row: work(row, actor=who, reason=reason), done=done, refusal=refusal)
        return None

    def _page(self, request: HttpRequest, rows: Sequence[Any], question: Question) -> HttpResponse:
        """It carries the versions of the page or list that it was opened from: what changes while the person reads is
        left out."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        hidden = [(SEEN, request.POST.get(SEEN, ""))]
        if chosen:
            hidden = [("action", request.POST.get("action", "")), *((ACTION_CHECKBOX_NAME, pk) for pk in chosen)]
            hidden += [(row_field(pk), request.POST.get(row_field(pk), "")) for pk in chosen]
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": question.title,
            "question": question,
            "advice": self.advice_on(rows),
            "lines": [self.line(row) for row in rows],
            "hidden": hidden,
            "back": request.path if chosen else self.page_url(rows[0]),
        }
        return TemplateResponse(request, "exports/decision.html", context)


class ReasonedExportAdmin(ReasonedAdmin):
    def line(self, row: ERPExport) -> Line:
        return Line(url=self.page_url(row), label=str(row.draft_order), text=row.error_message)

    def advice_on(self, rows: Sequence[ERPExport]) -> str:
        """The ERP's unread files that may be about those that an attempt may have brought to the ERP."""
        exports = ERPExport.objects.filter(pk__in=[row.pk for row in rows])
        return unread_acks.advice(withdraw.touched(exports), ask="")
