"""One e-mail when an incident begins and one when it is over, at least once and normally once: whoever sends claims the
incident first and marks it afterwards, so only a worker that dies between the two leaves a mail to be sent again."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import mail
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from connectors.hostile_text import tame
from exports.database_clock import from_now
from exports.notices import texts
from exports.notices.models import Incident, Recipient

logger = logging.getLogger(__name__)

# What is left waits for the next run.
AT_ONCE = 50
# More than a mail takes, whatever its server does.
TRY_AGAIN_AFTER = timedelta(minutes=3)

Kind = Incident.Kind

WANTED_BY = {
    Kind.BLOCKED: Q(connections=True),
    Kind.PAUSED: Q(connections=True),
    Kind.FAILING: Q(failures=True),
    Kind.OVERDUE: Q(answers=True),
    Kind.HELD: Q(connections=True),
}


def send_due() -> None:
    """Tell of every incident whose beginning or end nobody has been told of."""
    for_nobody, wanted = _by_recipients(_due().select_related("connection", "organization")[:AT_ONCE])
    for incident in for_nobody:
        _told(incident)
    if not wanted:
        return
    try:
        with mail.get_connection() as server:
            for incident, addresses in wanted:
                _send(incident, addresses, server)
    except OSError as error:
        logger.warning("The mail server cannot be used, notices are tried again: %s", tame(str(error)))


def _due() -> QuerySet[Incident]:
    untold = Q(notified_at=None) | Q(closed_at__isnull=False, closing_notified_at=None)
    return Incident.objects.filter(untold, _unclaimed()).order_by("opened_at")


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


def _send(incident: Incident, addresses: list[str], server: Any) -> None:
    row = Incident.objects.filter(_unclaimed(), pk=incident.pk, notified_at=incident.notified_at)
    if not row.update(tried_at=Now()):
        return
    text = texts.opening(incident) if incident.notified_at is None else texts.closing(incident)
    try:
        mail.EmailMessage(text.subject, text.body, to=addresses, connection=server).send()
    except OSError as error:  # smtplib's errors are
        logger.warning("The notice of incident %s is tried again: %s", incident.pk, tame(str(error)))
    else:
        _told(incident)


def _told(incident: Incident) -> None:
    """Of its beginning; the mail that tells of its end comes after that one."""
    field = "notified_at" if incident.notified_at is None else "closing_notified_at"
    Incident.objects.filter(pk=incident.pk, **{field: None}).update(**{field: timezone.now()}, tried_at=None)
