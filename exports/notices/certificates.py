"""Certificates in files that the settings name: an incident before one ends, as it is for API tokens."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from cryptography import x509
from django.conf import settings
from django.utils import timezone

from connectors.hostile_text import tame
from exports.notices.models import Incident
from exports.notices.troubles import Trouble, organizations

# How many days before its end a certificate is reported, each time with an e-mail; 0 when it has ended.
STAGES = (14, 7, 1, 0)
# One that ended longer ago begins no incident: a collection of authorities may keep it for good.
JUST_ENDED = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """A certificate in a file. `setting` names the settings that name the file."""

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
    now = timezone.now()
    for each in found():
        stages = each.stages(now)
        for organization_id in organizations() if stages else ():
            since, last = (each.ends_at - timedelta(days=days) for days in (stages[0], stages[-1]))
            yield _trouble(each, organization_id, since, begins=now - each.ends_at < JUST_ENDED), last


def found() -> list[Ending]:
    """The certificates in the files. Of several with one name in a file, such as an authority before and after its
    renewal, the one that ends last."""
    listed: dict[tuple[str, str], Ending] = {}
    for path, setting in _files().items():
        for name, begins_at, ends_at in _read(path):
            each = Ending(setting=setting, path=path, name=name, begins_at=begins_at, ends_at=ends_at)
            earlier = listed.get((path, name))
            if earlier is None or earlier.ends_at < ends_at:
                listed[path, name] = each
    return list(listed.values())


def stages_reached(incident: Incident) -> list[int]:
    """Of the incident's certificate."""
    now = timezone.now()
    return next((each.stages(now) for each in found() if each.subject == incident.subject), [])


def _trouble(each: Ending, organization_id: UUID, since: datetime, *, begins: bool) -> Trouble:
    end = f"{timezone.localtime(each.ends_at):%Y-%m-%d %H:%M %Z}"
    reason = (
        f"The certificate {each.name} in {each.path}, which {each.setting} names, is valid until {end}. After that, "
        "connections that depend on it fail."
    )
    return Trouble(
        organization_id=organization_id,
        kind=Incident.Kind.CERT,
        since=since,
        subject=each.subject,
        label=f"{each.setting}: {each.name}"[:200],
        reason=reason[:500],
        begins=begins,
    )


def _files() -> dict[str, str]:
    """By their paths, the settings that name them."""
    named: list[tuple[str, str]] = [(settings.WEBHOOK_CA_FILE, "WEBHOOK_CA_FILE")]
    for server in settings.REDIS_SERVERS:
        # An ssl_ca_certs of the URL itself takes precedence.
        named.append((server.tls.get("ssl_ca_certs", ""), f"REDIS_CA_FILE or {server.setting}"))
        named.append((server.tls.get("ssl_certfile", ""), server.setting))
    options = settings.DATABASES["default"].get("OPTIONS", {})
    named += [(str(options.get(name, "")), "DATABASE_URL") for name in ("sslrootcert", "sslcert")]
    files: dict[str, str] = {}
    for path, setting in named:
        if path:
            files.setdefault(path, setting)
    return files


def _read(path: str) -> tuple[tuple[str, datetime, datetime], ...]:
    """Name, begin and end of each certificate in the file; none where it cannot be read: what needs the file says
    so."""
    try:
        state = Path(path).stat()
        return _parsed(path, state.st_mtime_ns, state.st_size)
    except (OSError, ValueError):
        return ()


@lru_cache(maxsize=16)
def _parsed(path: str, _changed: int, _size: int) -> tuple[tuple[str, datetime, datetime], ...]:
    """Once for each state of the file, because every comparison asks."""
    listed = x509.load_pem_x509_certificates(Path(path).read_bytes())
    return tuple((_name(each), each.not_valid_before_utc, each.not_valid_after_utc) for each in listed)


def _name(certificate: x509.Certificate) -> str:
    return tame(certificate.subject.rfc4514_string())[:120] or "without a name"
