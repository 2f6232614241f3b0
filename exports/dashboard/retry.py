"""Pushing again what failed for one cause: a page that counts and asks, and the POST that does it."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from kombu.exceptions import OperationalError

from connectors.models import ERPConnection
from exports import failures, tasks
from exports.causes import Cause
from exports.failures import FailureGroup, Retried
from orderflow.tenancy.roles import Action
from orderflow.tenancy.scope import may, scoped
from orderflow.tenancy.scoped_admin import actor

# More of them take a worker, not the person who waits for the page.
AT_ONCE = 50
REFUSALS_TOLD = 3
EXAMPLES = 5


class GroupForm(forms.Form):
    """Which group: what the dashboard's link and the page's form carry."""

    connection = forms.UUIDField()
    cause = forms.ChoiceField(choices=Cause.choices, required=False)
    code = forms.CharField(max_length=60, required=False, strip=False)


@require_http_methods(["GET", "POST"])
def retry_failures(request: HttpRequest) -> HttpResponse:
    form = GroupForm(request.POST or request.GET)
    if not form.is_valid():
        return HttpResponseRedirect(reverse("admin:index"))
    # Another organization's connection does not exist, before anybody asks for the role.
    connection = get_object_or_404(
        scoped(ERPConnection.objects.all(), request.user), pk=form.cleaned_data["connection"]
    )
    if not may(request.user, Action.PUSH):
        raise PermissionDenied
    group = FailureGroup(
        connection_id=connection.pk, cause=form.cleaned_data["cause"], error_code=form.cleaned_data["code"]
    )
    if request.method == "POST":
        _retry(request, group)
        return HttpResponseRedirect(reverse("admin:index"))
    return _ask(request, group, connection, form)


def _ask(request: HttpRequest, group: FailureGroup, connection: ERPConnection, form: GroupForm) -> HttpResponse:
    exports = failures.members(group, until=timezone.now())
    count = exports.count()
    context = {
        **admin.site.each_context(request),
        "title": "Retry failed exports",
        "group": group,
        "connection": connection,
        "form": form,
        "count": count,
        "more": max(count - EXAMPLES, 0),
        "in_background": count > AT_ONCE,
        "examples": exports.select_related("draft_order")[:EXAMPLES],
    }
    return TemplateResponse(request, "exports/retry_failures.html", context)


def _retry(request: HttpRequest, group: FailureGroup) -> None:
    until = timezone.now()
    count = failures.members(group, until=until).count()
    if count <= AT_ONCE:
        _tell(request, failures.retry(group, until=until, actor=actor(request)))
        return
    try:
        tasks.retry_failures.delay(
            str(group.connection_id), group.cause, group.error_code, until.isoformat(), actor(request)
        )
    except OperationalError:
        messages.error(request, "The broker cannot be reached, nothing was retried. Try again when it is back.")
    else:
        messages.success(request, f"{count:,} exports are being retried. The dashboard shows how they get on.")


def _tell(request: HttpRequest, retried: Retried) -> None:
    if retried.count:
        messages.success(request, f"{retried.count} export{'s' if retried.count > 1 else ''} retried.")
    if retried.refusals:
        told = " ".join(retried.refusals[:REFUSALS_TOLD])
        messages.warning(request, f"{len(retried.refusals)} refused. {told}")
    if not retried.count and not retried.refusals:
        messages.info(request, "Nothing is left to retry: somebody else was quicker.")
