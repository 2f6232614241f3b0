"""Certificates in files that the settings name: an incident before one ends, as it is for API tokens.

The machines that workers run on may have different files: each keeps what it read in the database, and incidents are
compared with that.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from exports.incidents.detectors import certificate_files
from exports.incidents.detectors.connections import Trouble, organizations
from exports.incidents.models import Incident, SeenCertificate

# How many days before its end a certificate is reported, each time with an e-mail; 0 when it has ended.
STAGES = (14, 7, 1, 0)
# One that ended longer ago begins no incident: a collection of authorities may keep it for good.
JUST_ENDED = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """A certificate in a file. `setting` names the settings that name the file, `machine` is where it ends first."""

    machine: str
    setting: str
    path: str
    name: str
    begins_at: datetime
    ends_at: datetime

    @property
    def subject(self) -> str:
        """Of its incident, and of that of its successor in the file."""
        return f"certificate {hashlib.sha256(f'{self.path} {self.name}'.encode()).hexdigest()[:40]}"

    def stages(self, now: datetime) -> list[int]:
        """Which of `STAGES` it has reached. One as long as the certificate's life says nothing."""
        left, life = self.ends_at - now, self.ends_at - self.begins_at
        return [days for days in STAGES if left <= timedelta(days=days) < life]


def troubles() -> Iterator[tuple[Trouble, datetime]]:
    """One for each organization in use and certificate, with when its last stage was reached."""
    certificate_files.look()
    now = timezone.now()
    for each in found():
        stages = each.stages(now)
        for organization_id in organizations() if stages else ():
            since, last = (each.ends_at - timedelta(days=days) for days in (stages[0], stages[-1]))
            yield _trouble(each, organization_id, since, begins=now - each.ends_at < JUST_ENDED), last


def found() -> list[Ending]:
    """The certificates that machines in use read last. Of one that several have, that of the machine where it ends
    first: the others were renewed already."""
    listed: dict[tuple[str, str], Ending] = {}
    in_use = SeenCertificate.objects.filter(at__gt=timezone.now() - certificate_files.FORGOTTEN_AFTER)
    for row in in_use.order_by("-ends_at", "-machine"):
        listed[row.path, row.name] = Ending(
            machine=row.machine,
            setting=row.setting,
            path=row.path,
            name=row.name,
            begins_at=row.begins_at,
            ends_at=row.ends_at,
        )
    return list(listed.values())


def stages_reached(incident: Incident) -> list[int]:
    """Of the incident's certificate."""
    now = timezone.now()
    return next((each.stages(now) for each in found() if each.subject == incident.subject), [])


def _trouble(each: Ending, organization_id: UUID, since: datetime, *, begins: bool) -> Trouble:
    """Its file and its name, which may be that of a host, are for superusers."""
    end = f"{timezone.localtime(each.ends_at):%Y-%m-%d %H:%M %Z}"
    reason = (
        f"A certificate that {each.setting} names is valid until {end}. After that, connections that depend on it "
        "fail. Ask the server's administrator; the log has the details."
    )
    return Trouble(
        organization_id=organization_id,
        kind=Incident.Kind.CERT,
        since=since,
        subject=each.subject,
        label=f"certificate of {each.setting}"[:200],
        reason=reason[:500],
        details=f"Certificate {each.name} in {each.path} on machine {each.machine}, valid until {end}."[:500],
        begins=begins,
    )
