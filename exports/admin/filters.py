"""Filters of the lists by what is open: what dashboard and e-mails link to."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse

from exports.acks import unresolved as unresolved_acks
from exports.decisions import failure_groups
from exports.models.status import ExportStatus

OPEN = "open"
FAILED, OVERDUE = "failed", "overdue"
TO_CHECK = "to_check"


class OpenExports(SimpleListFilter):
    title = "open"
    parameter_name = OPEN

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(FAILED, "Failed, order still in error"), (OVERDUE, "Acknowledgement overdue")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == FAILED:
            return failure_groups.unmended(queryset)
        if self.value() == OVERDUE:
            return queryset.filter(status=ExportStatus.SENT, answer_due_at__lt=Now())
        return queryset


class OpenAcks(SimpleListFilter):
    title = "open"
    parameter_name = OPEN

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(TO_CHECK, "To check")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return unresolved_acks.open_ones(queryset) if self.value() == TO_CHECK else queryset


def exports_url(**lookups: Any) -> str:
    return f"{reverse('admin:exports_erpexport_changelist')}?{urlencode(lookups)}"


def acks_url(**lookups: Any) -> str:
    return f"{reverse('admin:exports_ackfile_changelist')}?{urlencode(lookups)}"
