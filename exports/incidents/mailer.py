"""E-mails about incidents: one when an incident opens, one for what was added while it is open, at most every
`ALERT_DIGEST_S`, and one when it is resolved.

Each is sent at least once and normally once: a worker claims the incident first and marks it afterwards, so only a
worker that dies between the two leaves an e-mail to be sent again.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import mail
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from exports.incidents import items, mail_server, messages
from exports.incidents.items import Contents
from exports.incidents.mail_server import Refused
from exports.incidents.messages import Text
from exports.incidents.models import Incident, IncidentItem, Recipient
from orderflow.db.clock import from_now

logger = logging.getLogger(__name__)

# What is left waits for the next run.
AT_ONCE = 50
LOOKED_AT = 200
# An open incident without anything new is looked at again after so long.
LOOK_AGAIN_S = 60
# So many opening e-mails about one subject are sent within `ALERT_DIGEST_S`. Further incidents wait until then; those
# that are resolved before get none.
OPENINGS = 3
# More than a mail takes, whatever its server does.
TRY_AGAIN_AFTER = timedelta(minutes=3)

Kind = Incident.Kind

WANTED_BY = {
    Kind.BLOCKED: Q(connections=True),
    Kind.PAUSED: Q(connections=True),
    Kind.POLLING: Q(connections=True),
    Kind.HELD: Q(connections=True),
    Kind.FAILING: Q(failures=True),
    Kind.IN_DOUBT: Q(failures=True),
    Kind.OVERDUE: Q(answers=True),
    Kind.ACKS: Q(answers=True),
    Kind.ARCHIVE: Q(parts=True),
    Kind.WEBHOOK: Q(parts=True),
    Kind.TOKEN: Q(parts=True),
    Kind.STOPPED: Q(parts=True),
    Kind.DISABLED: Q(connections=True),
    Kind.WAITING: Q(connections=True),
    Kind.RETRYING: Q(failures=True),
    Kind.HOOKDOWN: Q(parts=True),
    Kind.HOOKPART: Q(parts=True),
    Kind.HOOKLOST: Q(parts=True),
    Kind.JOURNAL: Q(parts=True),
    Kind.CERT: Q(parts=True),
}


def send_due() -> None:
    """Send every e-mail that is due."""
    _forget_short_ones()
    due = [*_due().select_related("connection", "organization")[:AT_ONCE], *_grown()]
    for_nobody, wanted = _by_recipients(due)
    for incident in for_nobody:
        _told(incident, Contents())
    if not wanted:
        return
    left = list(wanted)
    try:
        with mail_server.session() as (server, refused):
            for incident, addresses in wanted:
                left.pop(0)
                _send(incident, addresses, server, refused)
    except OSError as error:
        logger.warning("Notices are tried again: %s", mail_server.reason(error))
        for incident, addresses in left:
            mail_server.failed(incident.organization_id, addresses, mail_server.reason(error))


def _due() -> QuerySet[Incident]:
    untold = Q(notified_at=None) | Q(closed_at__isnull=False, closing_notified_at=None)
    return Incident.objects.filter(untold, _unclaimed()).exclude(_too_many()).order_by("opened_at")


def _too_many() -> Q:
    """Incidents without an opening e-mail, of a subject that has had `OPENINGS` of them within `ALERT_DIGEST_S`."""
    same = Incident.objects.filter(
        organization=OuterRef("organization"),
        kind=OuterRef("kind"),
        subject=OuterRef("subject"),
        notified_at__gt=from_now(-settings.ALERT_DIGEST_S),
    )
    earlier = same.order_by("notified_at").values("pk")[OPENINGS - 1 : OPENINGS]
    return Q(Exists(earlier), notified_at=None)


def _forget_short_ones() -> None:
    """Those that were resolved while their opening e-mail had to wait."""
    waiting = Incident.objects.filter(_too_many(), closed_at__isnull=False)
    waiting.update(notified_at=F("closed_at"), closing_notified_at=timezone.now())


def _grown() -> Iterator[Incident]:
    """Open incidents with something that no e-mail has listed, whose last one was sent long enough ago."""
    rows = Incident.objects.filter(_unclaimed(), closed_at=None, notified_at__isnull=False, kind__in=items.DIGESTED)
    last = Coalesce("digest_at", "notified_at")
    rows = rows.annotate(last=last).filter(last__lt=from_now(-settings.ALERT_DIGEST_S)).order_by("last")
    for incident in rows.select_related("connection", "organization")[:LOOKED_AT]:
        if items.untold(incident).keys:
            yield incident
        else:
            again = timezone.now() + timedelta(seconds=LOOK_AGAIN_S - settings.ALERT_DIGEST_S)
            _unchanged(incident).update(digest_at=again)


def _unclaimed() -> Q:
    return Q(tried_at=None) | Q(tried_at__lt=from_now(-TRY_AGAIN_AFTER.total_seconds()))


def _by_recipients(incidents: Iterable[Incident]) -> tuple[list[Incident], list[tuple[Incident, list[str]]]]:
    for_nobody, wanted = [], []
    for incident in incidents:
        rows = Recipient.objects.filter(WANTED_BY[Kind(incident.kind)], organization=incident.organization_id)
        addresses = list(rows.values_list("email", flat=True)) if settings.EMAIL_URL else []
        if addresses:
            wanted.append((incident, addresses))
        else:
            for_nobody.append(incident)
    return for_nobody, wanted


def _send(incident: Incident, addresses: list[str], server: Any, refused: Refused) -> None:
    if not _unchanged(incident).filter(_unclaimed()).update(tried_at=Now()):
        return
    text, found = _text(incident)
    refused.clear()
    try:
        mail.EmailMessage(text.subject, text.body, to=addresses, connection=server).send()
    except OSError as error:  # smtplib's errors are
        logger.warning("The notice of incident %s is tried again: %s", incident.pk, mail_server.reason(error))
        mail_server.failed(incident.organization_id, addresses, mail_server.reason(error))
    else:
        _told(incident, found)
        mail_server.accepted(incident.organization_id, addresses, refused)


def _text(incident: Incident) -> tuple[Text, Contents]:
    """The closing e-mail comes after the opening one, also if nobody got that in time."""
    if incident.notified_at and incident.closed_at:
        return messages.closing(incident), Contents()
    found = items.untold(incident)
    write = messages.addition if incident.notified_at else messages.opening
    return write(incident, found), found


def _unchanged(incident: Incident) -> QuerySet[Incident]:
    """The row, unless another worker has sent an e-mail about it since it was read."""
    return Incident.objects.filter(
        pk=incident.pk, notified_at=incident.notified_at, digest_at=incident.digest_at, closing_notified_at=None
    )


def _told(incident: Incident, found: Contents) -> None:
    now: datetime = timezone.now()
    if incident.notified_at is None:
        marks = {"notified_at": now, "digest_at": now}
    elif incident.closed_at:
        marks = {"closing_notified_at": now}
    else:
        marks = {"digest_at": now}
    if not _unchanged(incident).update(**marks, tried_at=None):
        return
    if "closing_notified_at" in marks:
        IncidentItem.objects.filter(incident=incident.pk).delete()
    else:
        notified = (IncidentItem(incident=incident, key=key) for key in found.keys)
        IncidentItem.objects.bulk_create(notified, ignore_conflicts=True, batch_size=500)
