"""The verdicts on acknowledgement files as people see them: name, colour, what each means and what there is to do."""

from dataclasses import dataclass

from django.utils.safestring import SafeString

from connectors.documents.json_ack_names import KINDS, is_error
from exports.decisions import conflicts
from exports.models import AckFile, Verdict
from exports.models.status import ExportStatus
from orderflow.admin.formatting import local_time
from orderflow.admin.pages import badge

COLOURS = {
    Verdict.MATCHED: "success",
    Verdict.CONFLICT: "danger",
    Verdict.MALFORMED: "danger",
    Verdict.UNREAD: "danger",
    Verdict.LATE: "warning",
    Verdict.ORPHAN: "warning",
    Verdict.INCOMPLETE: "info",
}
# A file that matched is good news only if the ERP took the order.
REJECTION = "Matched: rejected by the ERP"
REJECTED = (
    "It decided its export: the ERP rejected the order. The export is FAILED, with the reason that the ERP gave. "
    "Correct the order, approve it and push it again, or reject it."
)
RESOLVED = "It was resolved by {by} at {time}; nothing is to be done."
NOT_MOVED = (
    "It could not be read, and could not be moved to error/ either; the export still waits. Have the ERP write the "
    "answer again, complete and under the same name: it is read like any other."
)
NO_CHOICE = (
    "It contradicts the first acknowledgement. The order was changed or sent again since, so nothing can be decided "
    "here. If the ERP took the order, do not push it again: reject it. Then leave this file as it is."
)

# Of each verdict, in one sentence.
SHORT = {
    Verdict.MATCHED: "It decided its export, which the ERP accepted, or rejected where the badge says so.",
    Verdict.DUPLICATE: "It repeats what was known of its export, and changed nothing.",
    Verdict.CONFLICT: "It contradicts the first acknowledgement of its export, which stands.",
    Verdict.LATE: "Its export was superseded by a newer one, so it changed nothing.",
    Verdict.ORPHAN: "No export of this connection has the file name that it acknowledges.",
    Verdict.MALFORMED: "It cannot be read and was moved to error/; its export still waits.",
    Verdict.INCOMPLETE: "It cannot be read yet, because it may still be growing.",
    Verdict.UNREAD: "It names an export, but not in the form of an acknowledgement, or it cannot be read.",
}
# Of a single file: what it means and what there is to do.
MEANINGS = {
    Verdict.MATCHED: "It decided its export: the ERP has accepted the order.",
    Verdict.DUPLICATE: "It repeats what was known of its export, so it changed nothing. Nothing is to be done.",
    Verdict.CONFLICT: (
        "It contradicts the first acknowledgement, which counts until a person decides. Ask the ERP's administrator "
        "what became of the order, then use the buttons on this file's page."
    ),
    Verdict.LATE: (
        "It acknowledges an export that a newer one has replaced, so it changed nothing. If it says that the ERP took "
        "the order, open the newer export: if it is pending, withdraw it now (or stop sending it); if it was sent, the "
        "ERP may have the order twice; ask the ERP's administrator."
    ),
    Verdict.ORPHAN: (
        "No export of this connection has the file name that it answers, so it stays where it is: it may be a "
        "neighbour's. If it is none, have the ERP write the name of the file that it took, behind ack_ or error_."
    ),
    Verdict.INCOMPLETE: (
        "It cannot be read yet, for it may still be growing. Nothing is to be done: once its size and time stay the "
        "same from one reading to the next, it is taken as it is."
    ),
    Verdict.MALFORMED: (
        "It could not be read and lies in error/ now; the export still waits. Have the ERP write the answer again, "
        "complete and under the same name: it is read like any other. A file in error/ is not read again."
    ),
    Verdict.UNREAD: (
        "It names an order that was sent, and it was not read, so what it says of that order is not known here. Do not "
        "send the order again before it is: correct what the reason says, and the next reading of the folder takes it."
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A verdict's name and the name of its colour."""

    label: str
    colour: str


def shown(ack: AckFile) -> Shown:
    """That of a rejection is not the one of an acceptance, although both matched. Reads the file's export."""
    if is_rejection(ack):
        return Shown(label=REJECTION, colour="danger")
    return Shown(label=ack.get_verdict_display(), colour=COLOURS.get(Verdict(ack.verdict), ""))


def is_rejection(ack: AckFile) -> bool:
    """Whether it decided its export, and against it. A person may have decided otherwise since, after a file that
    contradicts this one; the names of JSON acks say what each of them decided."""
    if ack.verdict != Verdict.MATCHED or ack.export is None:
        return False
    kind = ack.name.partition("_")[0].lower()
    return is_error(ack.name) if kind in KINDS else ack.export.status == ExportStatus.FAILED


def meaning(ack: AckFile) -> str:
    """What it means and what there is to do now, after all that happened since it was read."""
    if ack.resolved_at:
        by = ack.resolved_by or "a later file or state"
        return RESOLVED.format(by=by, time=local_time(ack.resolved_at))
    if ack.verdict == Verdict.MALFORMED and ack.left_because:
        return NOT_MOVED
    if ack.verdict == Verdict.CONFLICT and conflicts.choice(ack) is None:
        return NO_CHOICE
    return REJECTED if is_rejection(ack) else MEANINGS[Verdict(ack.verdict)]


def legend() -> list[tuple[SafeString, str]]:
    """A badge and a sentence for each verdict."""
    return [(badge(str(verdict.label), COLOURS.get(verdict, "")), SHORT[verdict]) for verdict in Verdict]
