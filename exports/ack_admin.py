"""The ledger of answers: what became of each file, in words, and a look into the folder at once."""

from collections.abc import Iterator

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from connectors.connection_columns import local_time
from exports import open_acks, reading_again, search
from exports.ack_file import NEEDS_A_PERSON
from exports.conflict_admin import LEAVE, ConflictAdmin
from exports.export_page import VERDICTS
from exports.models import AckFile, Verdict
from exports.open_acks import NotOpen
from exports.open_filters import OpenAcks
from exports.reading_again import NotReadable
from exports.search_admin import KnownAsAdmin
from orderflow.tenancy.admin_page import Button, Note, badge, page_link
from orderflow.tenancy.date_span import DateSpanFilter
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import User, may
from orderflow.tenancy.scoped_admin import OwnRowsFilter, actor

# What it means and what there is to do; the others need nobody.
MEANINGS = {
    Verdict.CONFLICT: (
        "It contradicts the first acknowledgement, which counts until a person decides. Ask the ERP's administrator "
        "what became of the order, then choose above whether the ERP took it, or leave it as it is."
    ),
    Verdict.LATE: (
        "It answers an export that a newer one has replaced, so it changed nothing. If it says that the ERP took the "
        "order, the ERP may have it twice: ask its operator."
    ),
    Verdict.ORPHAN: (
        "No export of this connection has the file name that it answers, so it stays where it is: it may be a "
        "neighbour's. If it is none, have the ERP write the name of the file that it took, behind ack_ or error_."
    ),
    Verdict.INCOMPLETE: (
        "It cannot be read yet, for it may still be growing. Nothing is to be done: once its size and time stay the "
        "same from one reading to the next, it is taken as it is."
    ),
    Verdict.MALFORMED: (
        "It could not be read and lies in error/ now; the export still waits. Have the ERP write the answer again, "
        "complete and under the same name: it is read like any other. A file in error/ is not read again."
    ),
    Verdict.UNREAD: (
        "It names an order that was sent, and it was not read, so what it says of that order is not known here. Do not "
        "send the order again before it is: correct what the reason says, and the next reading of the folder takes it."
    ),
}
GONE = "It was renamed, moved or removed before {}. Under a name that is read, it has another entry in this list."
LEFT = "It counts, but it could not be moved away: {} Mend that; the next reading moves it."


@admin.register(AckFile)
class AckFileAdmin(KnownAsAdmin, ConflictAdmin):
    actions = ("read_again", "resolve", "mark_taken", "mark_not_taken")
    # The digest of it is a column too.
    seen_without = frozenset({"raw"})
    list_display = ("seen_at", "outcome", "order", "name", "reason", "erp_connection", "organization")
    list_display_links = ("seen_at", "name")
    list_filter = ("organization", "verdict", OpenAcks, ("connection", OwnRowsFilter), ("seen_at", DateSpanFilter))
    list_filter_submit = True
    list_select_related = ("organization", "connection", "export__draft_order")
    sortable_by = ()
    fields = (
        ("outcome", "reason"), "resolution", "name", ("order", "erp_connection"), "sent_export", "seen_at",
        "left_because", "sha256", "size", "content",
    )  # fmt: skip

    def known_as(self, term: str, user: User) -> set[int]:
        return search.answers_known_as(term, user)

    def has_push_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Action.PUSH)

    def notes(self, request: HttpRequest, obj: AckFile) -> Iterator[Note]:
        meaning = MEANINGS.get(Verdict(obj.verdict))
        if meaning:
            level = "info" if obj.verdict == Verdict.INCOMPLETE or obj.gone_at else "warning"
            yield Note(level=level, text=GONE.format(local_time(obj.gone_at)) if obj.gone_at else meaning)
        if obj.left_because:
            yield Note(level="warning", text=LEFT.format(obj.left_because))

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
            reading_again.connections_of(rows),
            lambda connection: reading_again.ask(connection, actor=who),
            done="asked for now: its folder is read in a moment. Reload to see what came of it",
            refusal=NotReadable,
            what="connection",
        )

    @admin.action(description="Mark as resolved", permissions=["push"])
    def resolve(self, request: HttpRequest, rows: models.QuerySet[AckFile]) -> None:
        who = actor(request)
        self.run_each(
            request, rows, lambda ack: open_acks.resolve(ack, actor=who), done="marked as resolved", refusal=NotOpen
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
        return badge(ack.get_verdict_display(), VERDICTS.get(Verdict(ack.verdict), ""), since=ack.seen_at)

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
