"""Reads the certificates in files that the settings name, on this machine, and keeps them in the database."""

import logging
import re
import socket
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from django.conf import settings
from django.utils import timezone

from connectors.text.sanitize import tame
from exports.incidents.models import SeenCertificate

logger = logging.getLogger(__name__)

# A machine that is not used any more does not look.
FORGOTTEN_AFTER = timedelta(hours=1)
# How often a machine writes that it still sees the same.
GRAIN = timedelta(minutes=1)

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_ONE = re.compile(_BEGIN + rb".*?-----END CERTIFICATE-----", re.DOTALL)

# Begin and end of each certificate by its name, and whether the whole file could be read.
Read = tuple[dict[str, tuple[datetime, datetime]], bool]


def look() -> None:
    """Record what the files on this machine hold now. What was in a file that cannot be read stays: that is no
    renewal."""
    now, machine = timezone.now(), socket.gethostname()[:255]
    known = {(row.path, row.name): row for row in SeenCertificate.objects.filter(machine=machine)}
    kept: set[tuple[str, str]] = set()
    for path, setting in _files().items():
        certificates, is_complete = read(path)
        for name, (begins_at, ends_at) in certificates.items():
            kept.add((path, name))
            values = {"setting": setting, "begins_at": begins_at, "ends_at": ends_at}
            _keep(known.get((path, name)), machine, path, name, values)
        if not is_complete:
            kept.update(key for key in known if key[0] == path)
    stale = [row.pk for key, row in known.items() if key in kept and row.at < now - GRAIN]
    if stale:
        SeenCertificate.objects.filter(pk__in=stale).update(at=now)
    gone = [row.pk for key, row in known.items() if key not in kept]
    if gone:
        SeenCertificate.objects.filter(pk__in=gone).delete()
    SeenCertificate.objects.filter(at__lt=now - FORGOTTEN_AFTER).delete()


def read(path: str) -> Read:
    """Of several with one name in a file, such as an authority before and after its renewal, the one that ends last."""
    try:
        state = Path(path).stat()
        return _parsed(path, state.st_mtime_ns, state.st_size)
    except (OSError, ValueError):
        # What needs the file says so.
        return {}, False


def _keep(row: SeenCertificate | None, machine: str, path: str, name: str, values: dict[str, object]) -> None:
    if row and all(getattr(row, field) == value for field, value in values.items()):
        return
    SeenCertificate.objects.update_or_create(
        machine=machine, path=path, name=name, defaults={**values, "at": timezone.now()}
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
            files.setdefault(path[:500], setting)
    return files


@lru_cache(maxsize=16)
def _parsed(path: str, _changed: int, _size: int) -> Read:
    """Once for each state of the file, because every comparison asks."""
    content = Path(path).read_bytes()
    blocks = _ONE.findall(content)
    certificates: dict[str, tuple[datetime, datetime]] = {}
    is_complete = bool(blocks) and len(blocks) == content.count(_BEGIN)
    for block in blocks:
        try:
            each = x509.load_pem_x509_certificate(block)
            name, begins_at, ends_at = _name(each), each.not_valid_before_utc, each.not_valid_after_utc
        except Exception:  # the library has errors of its own for odd ones
            logger.exception("A certificate in %s cannot be read", path)
            is_complete = False
            continue
        if name not in certificates or certificates[name][1] < ends_at:
            certificates[name] = begins_at, ends_at
    return certificates, is_complete


def _name(certificate: x509.Certificate) -> str:
    return tame(certificate.subject.rfc4514_string())[:120] or "without a name"
