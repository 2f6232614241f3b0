"""The models of exports, webhooks and bulk jobs aside: those are in `exports.webhooks` and `exports.bulk`."""

from exports.models.ack_file import AckFile, Verdict
from exports.models.event import EventKind, ExportEvent
from exports.models.export import ERPExport, ERPExportQuerySet
from exports.models.installation import Installation, JournalMark
from exports.models.lane import Lane

__all__ = [
    "AckFile",
    "ERPExport",
    "ERPExportQuerySet",
    "EventKind",
    "ExportEvent",
    "Installation",
    "JournalMark",
    "Lane",
    "Verdict",
]
