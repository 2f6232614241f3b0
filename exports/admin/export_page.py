"""What an export's page shows below its fields: the steps, the answers as they came, the document."""

from typing import Any

from django.utils.safestring import SafeString

from exports.admin import timeline, verdicts
from exports.admin.orders import status_badge
from exports.documents import archive
from exports.models import AckFile, ERPExport
from exports.models.status import ExportStatus
from orderflow.admin.pages import badge, change_url

# A longer document is for downloading.
SHOWN_BYTES = 256 * 1024


def standing(export: ERPExport, loaded: str) -> dict[str, Any]:
    """What changes while a person looks at the page, which was `loaded` when the export had that status."""
    return {
        "export": export,
        "loaded": loaded,
        "is_unfinished": export.status == ExportStatus.PENDING or bool(export.answer_due_at),
        "badge": status_badge(export),
        "standing": timeline.standing(export),
        "steps": timeline.steps(export),
        "page_to_reload": "" if loaded == export.status else change_url(export),
    }


def context(export: ERPExport) -> dict[str, Any]:
    content = document(export)
    return {
        **standing(export, export.status),
        "answers": [(ack, _verdict(ack), verdicts.meaning(ack)) for ack in export.ack_files.all()],
        "document_stored": content is not None,
        "document_text": content.decode(errors="replace") if content and len(content) <= SHOWN_BYTES else "",
    }


def _verdict(ack: AckFile) -> SafeString:
    shown = verdicts.shown(ack)
    return badge(shown.label, shown.colour)


def document(export: ERPExport) -> bytes | None:
    """The exact bytes that were sent; None while there is no copy."""
    try:
        with archive.read(export) as file:
            content: bytes = file.read()
    except FileNotFoundError:
        return None
    return content
