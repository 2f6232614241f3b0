"""The ledger of answers: what became of each file, in words, and a look into the folder at once."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from exports.acks import poll_now
from exports.acks import unresolved as unresolved_acks
from exports.acks.poll_now import NotReadable
from exports.acks.unresolved import NotOpen
from exports.admin import search, verdicts
from exports.admin.decisions.conflicts import LEAVE, ConflictAdmin
from exports.admin.filters import OpenAcks
from exports.models import AckFile, Verdict
from exports.models.ack_file import NEEDS_A_PERSON
from orderflow.admin.filters import DateSpanFilter
from orderflow.admin.formatting import local_time
from orderflow.admin.pages import Button, Note, badge, page_link
from orderflow.admin.permissions import PushPermission
from orderflow.admin.scoped import OwnRowsFilter, actor
from orderflow.admin.searchable import KnownAsAdmin
from orderflow.tenancy.scope import User

GONE = "It was renamed, moved or removed before {}. Under a name that is read, it has another entry in this list."
LEFT = "It was read, but it could not be moved away: {} Fix that; the next reading moves it."
NOT_MOVED = "Why it could not be moved to error/: {} Fix that; the next reading moves it."


@admin.register(AckFile)
class AckFileAdmin(PushPermission, KnownAsAdmin, ConflictAdmin):
    actions = ("read_again", "resolve", "mark_taken", "mark_not_taken")
    # The digest of it is a column too.
    seen_without = frozenset({"raw"})
    list_display = ("seen_at", "outcome", "order", "name", "reason", "erp_connection", "organization")
    list_display_links = ("seen_at", "name")
    list_filter = ("organization", "verdict", OpenAcks, ("connection", OwnRowsFilter), ("seen_at", DateSpanFilter))
    list_filter_submit = True
    list_after_template = "exports/verdicts.html"
    list_select_related = ("organization", "connection", "export__draft_order")
    sortable_by = ()
    fields = (
        ("outcome", "reason"), "resolution", "name", ("order", "erp_connection"), "sent_export", "seen_at",
        "left_because", "sha256", "size", "content",
    )  # fmt: skip

    def known_as(self, term: str, user: User) -> set[int]:
        return search.answers_known_as(term, user)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        page: HttpResponse = super().changelist_view(request, {**(extra_context or {}), "legend": verdicts.legend()})
        return page

    def notes(self, request: HttpRequest, obj: AckFile) -> Iterator[Note]:
        needs_nobody = obj.verdict not in NEEDS_A_PERSON or obj.gone_at or obj.resolved_at
        text = GONE.format(local_time(obj.gone_at)) if obj.gone_at else verdicts.meaning(obj)
        yield Note(level="info" if needs_nobody else "warning", text=text)
        if obj.left_because:
            text = NOT_MOVED if obj.verdict == Verdict.MALFORMED else LEFT
            yield Note(level="warning", text=text.format(obj.left_because))

    def buttons(self, request: HttpRequest, obj: AckFile) -> Iterator[Button]:
        if obj.resolved_at is None and obj.verdict in NEEDS_A_PERSON:
            label = LEAVE if obj.verdict == Verdict.CONFLICT else "Mark as resolved"
            yield Button(action="resolve", label=label, variant="primary", icon="check")
        yield from self.conflict_buttons(obj)
        yield Button(action="read_again", label="Read the folder again", icon="refresh")

    @admin.action(description="Read the connection's folder again", permissions=["push"])
    def read_again(self, request: HttpRequest, rows: models.QuerySet[AckFile]) -> None:
        """Once for each connection, whatever the number of files."""
        who = actor(request)
        self.run_each(
            request,
            poll_now.connections_of(rows),
            lambda connection: poll_now.ask(connection, actor=who),
            done="asked for now: its folder is read in a moment. Reload to see what came of it",
            refusal=NotReadable,
            what="connection",
        )

    @admin.action(description="Mark as resolved", permissions=["push"])
    def resolve(self, request: HttpRequest, rows: models.QuerySet[AckFile]) -> None:
        who = actor(request)
        if request.POST.getlist(ACTION_CHECKBOX_NAME):
            conflicts = unresolved_acks.open_ones(rows).filter(verdict=Verdict.CONFLICT)
            if told := unresolved_acks.to_decide(conflicts.count()):
                messages.warning(request, told)
            rows = rows.exclude(pk__in=list(conflicts.values_list("pk", flat=True)))
        self.run_each(
            request,
            rows,
            lambda ack: unresolved_acks.resolve(ack, actor=who),
            done="marked as resolved",
            refusal=NotOpen,
        )

    @admin.display(description="open")
    def resolution(self, ack: AckFile) -> SafeString | str:
        if ack.verdict not in NEEDS_A_PERSON:
            return "No, it needs no person."
        if ack.resolved_at is None:
            return badge("Open", "danger", since=ack.seen_at)
        by = f" by {ack.resolved_by}" if ack.resolved_by else ""
        return f"No, resolved{by} at {local_time(ack.resolved_at)}."

    @admin.display(description="verdict")
    def outcome(self, ack: AckFile) -> SafeString:
        shown = verdicts.shown(ack)
        return badge(shown.label, shown.colour, since=ack.seen_at)

    @admin.display(description="connection")
    def erp_connection(self, ack: AckFile) -> SafeString | str:
        return page_link(ack.connection)

    @admin.display(description="order")
    def order(self, ack: AckFile) -> SafeString | str:
        return page_link(ack.export and ack.export.draft_order)

    @admin.display(description="export")
    def sent_export(self, ack: AckFile) -> SafeString | str:
        return page_link(ack.export)

    @admin.display(description="content")
    def content(self, ack: AckFile) -> SafeString:
        return format_html('<pre class="text-xs whitespace-pre-wrap">{}</pre>', ack.raw)
