"""Pushing again what failed for one cause: a page that counts and asks, and the POST that has a worker do it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connectors.models import ERPConnection
from exports.bulk import jobs
from exports.bulk.models import BulkJob
from exports.decisions import failure_groups
from exports.decisions.failure_groups import FailureGroup
from exports.models.failure_cause import Cause
from orderflow.admin.scoped import actor
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may, scoped

EXAMPLES = 5


class GroupForm(forms.Form):
    """Which group: what the dashboard's link and the page's form carry."""

    connection = forms.UUIDField()
    cause = forms.ChoiceField(choices=Cause.choices, required=False)
    code = forms.CharField(max_length=60, required=False, strip=False)


class ShownForm(forms.Form):
    """What the page that asks showed: how many, and as of when."""

    as_of = forms.DateTimeField()
    shown = forms.IntegerField(min_value=0)


@require_http_methods(["GET", "POST"])
def retry_failures(request: HttpRequest) -> HttpResponse:
    form = GroupForm(request.POST or request.GET)
    if not form.is_valid():
        return HttpResponseRedirect(reverse("admin:index"))
    # Another organization's connection does not exist, before anybody asks for the role.
    connection = get_object_or_404(
        scoped(ERPConnection.objects.select_related("organization"), request.user), pk=form.cleaned_data["connection"]
    )
    if not may(request.user, Action.PUSH):
        raise PermissionDenied
    group = FailureGroup(
        connection_id=connection.pk, cause=form.cleaned_data["cause"], error_code=form.cleaned_data["code"]
    )
    shown = ShownForm(request.POST)
    if request.method == "POST" and shown.is_valid():
        return _retry(request, group, connection.organization, shown.cleaned_data)
    return _ask(request, group, connection, form)


def _ask(request: HttpRequest, group: FailureGroup, connection: ERPConnection, form: GroupForm) -> HttpResponse:
    now = timezone.now()
    exports = failure_groups.members(group, until=now)
    count = exports.count()
    context = {
        **admin.site.each_context(request),
        "title": "Retry failed exports",
        "group": group,
        "connection": connection,
        "form": form,
        "shown": ShownForm({"as_of": now.isoformat(), "shown": count}),
        "count": count,
        "more": max(count - EXAMPLES, 0),
        "examples": exports.select_related("draft_order")[:EXAMPLES],
    }
    return TemplateResponse(request, "exports/retry_failures.html", context)


def _retry(
    request: HttpRequest, group: FailureGroup, organization: Organization, shown: dict[str, Any]
) -> HttpResponse:
    """Those that were shown: what failed afterwards nobody has seen."""
    exports = failure_groups.members(group, until=shown["as_of"]).order_by("created_at", "pk")
    order_ids = list(exports.values_list("draft_order", flat=True)[: jobs.MOST])
    if not order_ids:
        messages.info(request, "Nothing is left to retry: someone else was quicker.")
        return HttpResponseRedirect(reverse("admin:index"))
    left = shown["shown"] - len(order_ids)
    if left > 0 and len(order_ids) < jobs.MOST:
        messages.warning(request, f"{left} of those that you saw are left out: someone else was quicker.")
    job = jobs.ask(organization, BulkJob.Kind.RETRY, order_ids, actor=actor(request))
    return HttpResponseRedirect(reverse("admin:exports_bulkjob_change", args=[job.pk]))
