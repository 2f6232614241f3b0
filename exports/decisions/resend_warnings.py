"""What a person has to know before orders are sent again: the ERP may have them, or has said that it has."""

from django.db.models import Count, Q, QuerySet

from exports.acks import unread as unread_acks
from exports.acks.unresolved import open_ones
from exports.decisions import earlier_exports
from exports.models import AckFile, ERPExport, Verdict
from exports.models.failure_cause import DOUBTFUL, Cause
from exports.models.status import ExportStatus

ASK = "Ask the ERP's administrator before you send {them} again; {they} cannot be taken back from here."


def may_have(export: ERPExport) -> str:
    """That the ERP may have the order of this failed export, the last one of its order, and why; empty where it cannot
    have it, or where the order is not sent again."""
    if export.status != ExportStatus.FAILED or export.cause not in DOUBTFUL or hasattr(export, "superseded_by"):
        return ""
    if export.draft_order.status in earlier_exports.DONE:
        return ""
    return f"The ERP may have this order: {_cause(export.cause)}. {ASK.format(them='it', they='it')}"


def may_have_some(exports: QuerySet[ERPExport]) -> str:
    """As `may_have`, of many failed exports, the last ones of their orders; the causes with the number of orders."""
    doubtful = exports.filter(status=ExportStatus.FAILED, cause__in=DOUBTFUL, superseded_by=None).order_by()
    counts = dict(doubtful.values("cause").annotate(count=Count("pk")).order_by("cause").values_list("cause", "count"))
    if not counts:
        return ""
    causes = ", ".join(f"{count:,} × {_cause(cause)}" for cause, count in counts.items())
    return f"The ERP may have some of these orders: {causes}. {ASK.format(them='them', they='they')}"


def _cause(cause: str) -> str:
    """In the middle of a sentence."""
    label = str(Cause(cause).label)
    return label[0].lower() + label[1:]


def taken(exports: QuerySet[ERPExport]) -> QuerySet[AckFile]:
    """The open files that say the ERP took an order whose failed export is among `exports`, although it rejected the
    order first or was given up; also those of earlier exports of the same orders."""
    failed = exports.filter(status=ExportStatus.FAILED, superseded_by=None).order_by()
    conflicts = open_ones(AckFile.objects.filter(verdict=Verdict.CONFLICT))
    same_order = Q(export__draft_order__in=failed.values("draft_order"), export__status=ExportStatus.FAILED)
    return conflicts.filter(same_order).order_by("name")


def taken_advice(exports: QuerySet[ERPExport]) -> str:
    """What to do about the `taken` files before the orders are sent again; empty where there is none."""
    files = taken(exports)
    names = unread_acks.named(files)
    if not names:
        return ""
    rejected = not files.exclude(export__cause=Cause.ERP_REFUSED).exists()
    if files.count() == 1:
        first = "it rejected it first" if rejected else "its export failed"
        said = f"{names} says that the ERP took this order, although {first}."
        return f"{said} Decide on the file's page before you send it again."
    first = "it rejected them first" if rejected else "their exports failed"
    said = f"{names} say that the ERP took their orders, although {first}."
    return f"{said} Decide on the files' pages before you send them again."


def advice(exports: QuerySet[ERPExport], *, ask: str = unread_acks.ASK) -> str:
    """What to do about the ERP's files before the orders of failed `exports` are sent again: those that contradict a
    rejection, and those that `unread_acks.advice` names. Empty where there is none."""
    return f"{taken_advice(exports)} {unread_acks.advice(exports, ask=ask)}".strip()


def unsettled_files(exports: QuerySet[ERPExport]) -> str:
    """The names of the files that advise against sending again, for a sentence or a version."""
    found = (unread_acks.named(unread_acks.waiting_for(exports)), unread_acks.named(taken(exports)))
    return ", ".join(names for names in found if names)
