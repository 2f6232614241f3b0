"""Which exports have ended for good, so that nothing at the dropzone will be looked for on their behalf."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from connectors.types.inspection import PlacedFile
from exports.models import AckFile, ERPExport, Verdict
from exports.models.status import ExportStatus

# By the database's clock, since the export's end: what the server's clock says of a file does not matter.
OLD = timedelta(days=1)


def whose_temporaries_are_needless(exports: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """A file that was journaled and not answered is not among them: it may be all that tells of the order."""
    answered = AckFile.objects.filter(export=OuterRef("pk"), verdict=Verdict.MATCHED)
    never_staged = Q(status=ExportStatus.FAILED, staged_path="")
    return exports.filter(Exists(answered) | never_staged, settled_at__lt=Now() - OLD)


def stale_temporaries(exports: QuerySet[ERPExport], files: Sequence[PlacedFile]) -> list[tuple[PlacedFile, UUID]]:
    """Those of `files` that no attempt and no person will look for, each with the id of its export.

    Besides what `whose_temporaries_are_needless` names: a temporary of an export that was sent or ended more than a day
    ago, and that the journal does not name. An attempt that failed left it; its lease holder is long gone.
    """
    found = exports.filter(filename__in={file.temporary_of for file in files if file.temporary_of})
    needless = dict(whose_temporaries_are_needless(found).values_list("filename", "pk"))
    over = Q(settled_at__lt=Now() - OLD) | Q(settled_at=None, sent_at__lt=Now() - OLD)
    rows = found.exclude(status=ExportStatus.PENDING).filter(over).values_list("filename", "pk", "staged_path")
    journaled_names = {filename: (pk, staged.rpartition("/")[2]) for filename, pk, staged in rows}
    stale = []
    for file in files:
        pk, journaled = journaled_names.get(file.temporary_of or "", (None, ""))
        if file.temporary_of in needless:
            stale.append((file, needless[file.temporary_of]))
        elif pk and file.name != journaled:
            stale.append((file, pk))
    return stale
