"""Which exports have ended for good, so that nothing at the dropzone will be looked for on their behalf."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from exports.models import AckFile, ERPExport, Verdict
from exports.transitions import ExportStatus

# By the database's clock, since the export's end: what the server's clock says of a file does not matter.
OLD = timedelta(days=1)


def whose_temporaries_are_needless(exports: QuerySet[ERPExport]) -> QuerySet[ERPExport]:
    """A file that was journaled and not answered is not among them: it may be all that tells of the order."""
    answered = AckFile.objects.filter(export=OuterRef("pk"), verdict=Verdict.MATCHED)
    never_staged = Q(status=ExportStatus.FAILED, staged_path="")
    return exports.filter(Exists(answered) | never_staged, settled_at__lt=Now() - OLD)
