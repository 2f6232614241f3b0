"""The text of an e-mail about an incident: what is wrong, since when, which orders, what to do, and where."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.timesince import timesince

from connectors.text.sanitize import tame
from exports.acks import unread as unread_acks
from exports.decisions import resend_warnings
from exports.incidents import endings, items
from exports.incidents.items import Contents
from exports.incidents.models import Incident

Kind = Incident.Kind

# For the subject and the first line. Those with {} take the number of orders or files.
WHAT = {
    Kind.BLOCKED: "connection blocked",
    Kind.PAUSED: "connection paused, server unreachable",
    Kind.POLLING: "acknowledgements cannot be read",
    Kind.FAILING: "failed orders: {}",
    Kind.IN_DOUBT: "orders in doubt: {}",
    Kind.OVERDUE: "overdue acknowledgements: {}",
    Kind.ACKS: "acknowledgements to check: {}",
    Kind.HELD: "all deliveries held, the database went back in time",
    Kind.ARCHIVE: "documents not archived: {}",
    Kind.WEBHOOK: "webhook disabled",
    Kind.TOKEN: "API token expires",
    Kind.STOPPED: "component stopped",
    Kind.DISABLED: "orders wait for a disabled connection: {}",
    Kind.WAITING: "orders not delivered for over an hour: {}",
    Kind.RETRYING: "attempts fail, orders are retried: {}",
    Kind.HOOKDOWN: "webhook does not deliver",
    Kind.HOOKPART: "webhook rejects messages",
    Kind.HOOKLOST: "webhook messages failed: {}",
    Kind.JOURNAL: "restored backups not noticed",
    Kind.CERT: "certificate expires",
}
WHAT_TO_DO = {
    Kind.BLOCKED: "Correct the connection and test it. A test that passes releases its orders.",
    Kind.PAUSED: "If the server is known to be down, nothing: it is retried. Otherwise test the connection.",
    Kind.POLLING: "Correct what the reason names: OrderFlow has to read the folder of acknowledgements and to move its "
    "files into processed/ and error/; a test of the connection only lists it. Orders are still delivered.",
    Kind.FAILING: "Where the ERP rejected an order, correct the order, approve it and push it again; if the ERP's "
    "master data was corrected, retry it. For any other cause, fix that, then retry. Where the ERP may have the order, "
    "ask its administrator before.",
    Kind.IN_DOUBT: "Check in the ERP whether each order arrived, then mark its export as delivered or not delivered.",
    Kind.OVERDUE: "Ask the ERP's administrator whether these orders arrived, and name the files. If one arrived, have "
    "its acknowledgement written again; do not give the export up, because its order could then be sent twice. If it "
    "did not arrive, give the export up and retry the order.",
    Kind.ACKS: "Open each file: its page says what it means and what to do. Then decide it or mark it as resolved on "
    "its page.",
    Kind.HELD: "Run `manage.py recover` on the server. Orders can be pushed, and wait until then.",
    Kind.ARCHIVE: "Check STORAGE_URL and the workers' log: they say why the storage does not take the documents.",
    Kind.WEBHOOK: "Correct the receiver or the address, then enable the webhook.",
    Kind.TOKEN: "Make a new token, give it to the program that uses this one, then revoke this one.",
    Kind.STOPPED: "Do what the reason says. Orders and acknowledgements may wait until then.",
    Kind.DISABLED: "An administrator or integrator enables the connection: its orders are then sent. Otherwise use "
    "Withdraw or Stop sending on the pages of their exports; a withdrawn order can be retried over another connection "
    "on its own page.",
    Kind.WAITING: "Open each order's export: its page says what the last attempt met and when the next one is. Correct "
    "what it names. If no attempt can succeed, withdraw the export; where that is not offered, have the connection "
    "disabled and use Stop sending.",
    Kind.RETRYING: "Correct what the attempts met. The orders are retried until they are sent or FAILED; the page of "
    "each export has all its attempts.",
    Kind.HOOKDOWN: "Correct the receiver, the address or the secret, then send a test message from the webhook's page: "
    "if it is accepted, what waits is sent. A receiver that checks a replaced secret needs the new one.",
    Kind.HOOKPART: "Correct the receiver so that it accepts this message: it is sent again, and then fails for good.",
    Kind.HOOKLOST: 'Correct what the receiver rejects, then use "Send again" in the list, or mark this as resolved.',
    Kind.JOURNAL: "Make STATE_DIR and the storage (STORAGE_URL) writable for the workers of that machine. After a "
    "restore or failover in that time, run `manage.py recover --distrust` before the workers start.",
    Kind.CERT: "Replace the certificate in the file, then restart OrderFlow: its processes read the file when they "
    "start.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """`subject` is one line, whatever the names in it."""

    subject: str
    body: str


def opening(incident: Incident, found: Contents) -> Text:
    what = _what(incident, found)
    return Text(
        subject=_subject(incident, what),
        body=_paragraphs(
            f"{_name(incident)}: {what}, since {_time(incident.opened_at)}.",
            _reason(incident),
            _listed(incident, found),
            f"What to do: {what_to_do(incident)}",
            _link(incident),
            _next(incident),
        ),
    )


def addition(incident: Incident, found: Contents) -> Text:
    """Of what was added since the last e-mail."""
    what = _what(incident, found)
    subject = what if incident.kind in items.STAGED else f"more {what}"
    return Text(
        subject=_subject(incident, subject),
        body=_paragraphs(
            f"{_name(incident)}: {subject}. Open since {_time(incident.opened_at)}.",
            _reason(incident),
            _listed(incident, found),
            f"What to do: {what_to_do(incident)}",
            _link(incident),
        ),
    )


def closing(incident: Incident) -> Text:
    what, took = _what(incident, Contents()), timesince(incident.opened_at, incident.closed_at)
    by = f" by {tame(incident.resolved_by)}" if incident.resolved_by else ""
    return Text(
        subject=_subject(incident, f"resolved: {what}"),
        body=_paragraphs(
            f"{_name(incident)}: {what}, since {_time(incident.opened_at)}.",
            f"Resolved{by} at {_time(incident.closed_at)}, after {took}.",
            "" if by else endings.why(incident),
            _link(incident),
        ),
    )


def _what(incident: Incident, found: Contents) -> str:
    what = WHAT[Kind(incident.kind)]
    return what.format(found.count) if found.keys else what.removesuffix(": {}")


def _subject(incident: Incident, what: str) -> str:
    about = f", {incident.about}" if incident.about else ""
    return tame(f"[OrderFlow] {incident.organization}{about}: {what}")


def _name(incident: Incident) -> str:
    if incident.connection:
        return tame(f"Connection {incident.connection.name!r} of {incident.organization}")
    return tame(f"{incident.organization}, {incident.label}" if incident.label else str(incident.organization))


def _reason(incident: Incident) -> str:
    """Of a block, the present one."""
    text = incident.reason
    if incident.kind == Kind.BLOCKED and incident.connection:
        text = incident.connection.blocked_reason or text
    return f"Reason: {tame(text)}" if text else ""


def what_to_do(incident: Incident) -> str:
    """The next step, for e-mails and pages."""
    if incident.kind == Kind.OVERDUE:
        return unread_acks.advice(items.overdue(incident)) or WHAT_TO_DO[Kind.OVERDUE]
    # Retrying comes second where the ERP may have acknowledged one of these orders.
    failing = items.failing(incident) if incident.kind == Kind.FAILING else None
    first = [resend_warnings.taken_advice(failing), unread_acks.unread_about(failing)] if failing is not None else []
    return " ".join(text for text in (*first, WHAT_TO_DO[Kind(incident.kind)]) if text)


def _listed(incident: Incident, found: Contents) -> str:
    if not found.lines:
        return ""
    # What comes from an ERP begins no line.
    lines = [f"- {line}" for line in found.lines]
    if found.left:
        lines.append(f"and {found.left:,} more.")
    heads = {Kind.ACKS: "Files:", Kind.HOOKLOST: "Messages:"}
    heads |= dict.fromkeys((Kind.PAUSED, Kind.BLOCKED, Kind.DISABLED), "Waiting orders:")
    return "\n".join((heads.get(Kind(incident.kind), "Orders:"), *lines))


def _next(incident: Incident) -> str:
    minutes = max(round(settings.ALERT_DIGEST_S / 60), 1)
    further = f"Further ones are reported every {minutes} minutes at most. " if incident.kind in _COUNTED else ""
    return f"{further}You will be notified when this is resolved."


_COUNTED = frozenset(items.DIGESTED).difference(items.STAGED)


def _link(incident: Incident) -> str:
    return f"{settings.PUBLIC_URL}{items.page(incident)}"


def _time(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}" if at else ""


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text) + "\n"
