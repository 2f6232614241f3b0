"""The archived documents of one organization, by name."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.core.files.storage import storages

from exports.models import ERPExport
from exports.recovery.report import Report
from exports.rollback import journal_storage
from orderflow.tenancy.models import Organization

# Of the documents that must be there, so many are looked for before the archive is believed to be complete.
PROBES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """`is_readable` is False where it cannot be listed, or lacks what must be there: then a name that is missing tells
    nothing."""

    names: Collection[str]
    is_readable: bool


def of(organization: Organization, report: Report) -> Archive:
    sent = ERPExport.objects.filter(organization=organization).exclude(storage_key="")
    probes = list(sent.order_by("-created_at").values_list("storage_key", flat=True)[:PROBES])
    try:
        names = set(journal_storage.listing(storages["exports"], f"exports/{organization.pk}")[1])
    except Exception as error:  # noqa: BLE001 - whatever a storage backend raises
        report.problems.append(f"The archived documents of {organization} cannot be listed: {error}")
        return Archive(names=frozenset(), is_readable=False)
    there = any(key.rpartition("/")[2] in names for key in probes)
    if probes and not there:
        report.problems.append(f"The archived documents of {organization} are gone.")
    return Archive(names=names, is_readable=there or not probes)


def unknown(organization: Organization, names: Collection[str]) -> list[str]:
    """Those that no export of the organization has, the oldest of each order first."""
    ordered: Sequence[str] = sorted(names)
    known: set[str] = set()
    for start in range(0, len(ordered), 1000):
        rows = ERPExport.objects.filter(organization=organization, filename__any_of=list(ordered[start : start + 1000]))
        known.update(rows.values_list("filename", flat=True))
    return [name for name in ordered if name not in known]
