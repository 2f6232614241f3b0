"""How a bulk job stands, while it runs and afterwards."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from exports.bulk import jobs, refusals
from exports.bulk.jobs import NotUnderWay
from exports.bulk.models import BulkJob
from orderflow.admin.pages import Button, PageAdmin, badge
from orderflow.admin.permissions import PushPermission
from orderflow.admin.scoped import actor
from orderflow.tenancy.fragments import fragment

STATES = {
    BulkJob.State.WAITING: "info",
    BulkJob.State.RUNNING: "info",
    BulkJob.State.DONE: "success",
    BulkJob.State.STOPPED: "warning",
}


@admin.register(BulkJob)
class BulkJobAdmin(PushPermission, PageAdmin):
    actions = ("stop",)
    seen_without = frozenset({"order_ids"})
    change_form_outer_before_template = "exports/bulk/job.html"
    list_display = ("asked_at", "standing", "kind", "total", "done", "refused", "left", "asked_by", "organization")
    list_display_links = ("asked_at",)
    list_filter = ("organization",)
    list_select_related = ("organization",)
    sortable_by = ()
    fields = (("kind", "organization"), ("asked_by", "asked_at"), ("started_at", "ended_at"))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = super().get_queryset(request).defer("order_ids")
        return rows

    def seen_values(self, row: BulkJob) -> dict[str, Any]:
        """Its progress goes on while people look."""
        return {"state": row.state}

    def get_urls(self) -> list[URLPattern]:
        view = fragment(self.progress)
        return [path("<path:object_id>/progress/", view, name=self.url_name("progress")), *super().get_urls()]

    def progress(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The part of the page that changes; nothing while it is as the page has `seen` it."""
        job = self.get_object(request, unquote(object_id))
        if request.GET.get("seen") == _version(job):
            return HttpResponse(status=204)
        response = TemplateResponse(request, "exports/bulk/progress.html", _told(job))
        if job.is_over:
            # Its button has to go, and its times to come.
            response.headers["HX-Refresh"] = "true"
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context |= _told(obj)
        page: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return page

    def buttons(self, request: HttpRequest, obj: BulkJob) -> Iterator[Button]:
        if not obj.is_over:
            yield Button(action="stop", label="Stop", icon="stop_circle")

    @admin.action(description="Stop", permissions=["push"])
    def stop(self, request: HttpRequest, rows: models.QuerySet[BulkJob]) -> None:
        who = actor(request)
        done = "stopped. What went before goes on its way"
        self.run_each(request, rows, lambda job: jobs.stop(job, actor=who), done=done, refusal=NotUnderWay)

    @admin.display(description="state")
    def standing(self, job: BulkJob) -> SafeString:
        return badge(job.get_state_display(), STATES[BulkJob.State(job.state)], since=job.ended_at or job.asked_at)

    @admin.display(description="refused")
    def refused(self, job: BulkJob) -> int:
        return job.refused

    @admin.display(description="left")
    def left(self, job: BulkJob) -> int:
        return job.left


def _version(job: BulkJob) -> str:
    return f"{job.state}-{job.position}"


def _told(job: BulkJob) -> dict[str, Any]:
    return {
        "job": job,
        "job_version": _version(job),
        "job_badge": badge(job.get_state_display(), STATES[BulkJob.State(job.state)]),
        "job_refusals": refusals.from_stored(job.refusals).values(),
    }
