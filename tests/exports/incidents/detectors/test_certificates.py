"""Certificates in files that the settings name are reported 14, 7 and 1 days before they end."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db.models import F

from exports.incidents import detector
from exports.incidents.detectors import certificate_files, certificates
from exports.incidents.models import Incident, SeenCertificate
from exports.incidents.tasks import watch as watch_task
from orderflow.environment.redis_url import RedisServer
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.exports.incidents.conftest import digest_time
from tests.servers.smtp import Mailbox
from tests.support.tenants import log_in, log_in_superuser, page_url

KEY = ec.generate_private_key(ec.SECP256R1())
pytestmark = pytest.mark.usefixtures("connection")


def certificate(name: str, left: timedelta, life: timedelta = timedelta(days=900)) -> bytes:
    """In PEM form, valid for so much longer."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, KEY.public_key(), x509.random_serial_number())
    valid = builder.not_valid_before(now + left - life).not_valid_after(now + left)
    return valid.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    settings.WEBHOOK_CA_FILE = str(tmp_path / "authorities.pem")
    return tmp_path / "authorities.pem"


def open_labels() -> list[str]:
    detector.compare()
    rows = Incident.objects.filter(closed_at=None)
    assert set(rows.values_list("kind", flat=True)) <= {Incident.Kind.CERT}
    return sorted(rows.values_list("label", flat=True))


@pytest.mark.usefixtures("recipient")
def test_a_certificate_is_reported_14_7_and_1_days_before_its_end_and_when_it_has_ended(
    mailbox: Mailbox, file: Path, organization: Organization
) -> None:
    """B66."""
    counts = []
    for left in (20, 13, 6, 2, 0.5, -0.5):
        file.write_bytes(certificate("Our authority", timedelta(days=left)))
        for _ in range(2):
            watch_task()
            digest_time()
        counts.append(len(mailbox.mails))
    assert counts == [0, 1, 2, 2, 3, 4]
    assert all("certificate expires" in subject for subject in mailbox.subjects)
    text = " ".join(mailbox.mails[0].get_content().split())
    assert "A certificate that WEBHOOK_CA_FILE names is valid until" in text
    assert "Ask the server's administrator; the log has the details." in text
    incident = Incident.objects.get()
    page = page_url(incident)
    for seen in (text, log_in(organization, Role.ADMIN).get(page).content.decode()):
        assert str(file) not in seen
        assert "Our authority" not in seen
    assert f"Certificate CN=Our authority in {file} on machine " in log_in_superuser().get(page).content.decode()
    assert "Replace the certificate in the file, then restart" in text
    assert "certificate of WEBHOOK_CA_FILE" in log_in(organization, Role.OPS).get("/admin/").content.decode()
    file.write_bytes(certificate("Our authority", timedelta(days=400)))
    watch_task()
    assert "resolved: certificate expires" in mailbox.subjects[-1]


def test_of_an_authority_and_its_successor_the_later_end_counts(file: Path) -> None:
    file.write_bytes(certificate("One", timedelta(days=3)) + certificate("Two", timedelta(days=3)))
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE", "certificate of WEBHOOK_CA_FILE"]
    file.write_bytes(file.read_bytes() + certificate("One", timedelta(days=300)))
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]


def test_what_ended_long_ago_begins_no_incident_and_ends_none(file: Path) -> None:
    file.write_bytes(certificate("Old", timedelta(days=-8)))
    assert open_labels() == []
    file.write_bytes(certificate("Ended", timedelta(days=-6)))
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]


def test_a_person_may_resolve_it_until_the_next_stage(file: Path, organization: Organization) -> None:
    file.write_bytes(certificate("Unused", timedelta(days=13)))
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]
    log_in(organization, Role.OPS).post(page_url(Incident.objects.get(), "do", "resolve"))
    file.write_bytes(certificate("Unused", timedelta(days=8)))
    assert open_labels() == []
    # As if it had been resolved a week ago.
    Incident.objects.update(closed_at=datetime.now(UTC) - timedelta(days=5))
    file.write_bytes(certificate("Unused", timedelta(days=6)))
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]


def test_a_certificate_that_is_renewed_every_few_days_is_reported_only_when_that_fails(file: Path) -> None:
    file.write_bytes(certificate("Short", timedelta(hours=20), life=timedelta(days=1)))
    assert open_labels() == []
    file.write_bytes(certificate("Short", timedelta(hours=-1), life=timedelta(days=1)))
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]


def test_files_of_redis_and_of_the_database_are_read_too(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ca", "client", "database"):
        (tmp_path / f"{name}.pem").write_bytes(certificate(name, timedelta(days=5)))
    tls = {"ssl_ca_certs": str(tmp_path / "ca.pem"), "ssl_certfile": str(tmp_path / "client.pem")}
    settings.REDIS_SERVERS = [RedisServer(setting="REDIS_URL", url="rediss://redis", tls=tls)]
    options = {**settings.DATABASES["default"].get("OPTIONS", {}), "sslrootcert": str(tmp_path / "database.pem")}
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)
    assert open_labels() == [
        "certificate of DATABASE_URL",
        "certificate of REDIS_CA_FILE or REDIS_URL",
        "certificate of REDIS_URL",
    ]


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_that_cannot_be_read_ends_no_comparison(content: bytes | None, file: Path) -> None:
    if content is not None:
        file.write_bytes(content)
    assert open_labels() == []


def test_machines_that_differ_have_one_incident_until_all_have_the_new_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        for machine, left in (("one", 5), ("two", 300)):
            monkeypatch.setattr(socket, "gethostname", lambda machine=machine: machine)
            file.write_bytes(certificate("Ours", timedelta(days=left)))
            assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]
    assert Incident.objects.count() == 1
    monkeypatch.setattr(socket, "gethostname", lambda: "one")
    file.write_bytes(certificate("Ours", timedelta(days=301)))
    assert open_labels() == []


def test_a_machine_that_is_not_in_use_any_more_is_forgotten(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(certificate("Ours", timedelta(days=5)))
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    file.write_bytes(certificate("Ours", timedelta(days=300)))
    SeenCertificate.objects.update(at=F("at") - certificate_files.FORGOTTEN_AFTER)
    assert open_labels() == []


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nMIIB", "folder", "odd"])
def test_a_file_that_cannot_be_read_any_more_is_no_renewal(content: Any, file: Path) -> None:
    ours = certificate("Ours", timedelta(days=5))
    file.write_bytes(ours)
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]
    file.unlink()
    if content == "folder":
        file.mkdir()
    elif content == "odd":
        file.write_bytes(of_version_4(ours))
    elif content is not None:
        file.write_bytes(content)
    SeenCertificate.objects.update(at=F("at") - certificate_files.FORGOTTEN_AFTER + timedelta(minutes=1))
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]
    assert [each.name for each in certificates.found()] == ["CN=Ours"]
    assert SeenCertificate.objects.get().at > datetime.now(UTC) - timedelta(minutes=1)


def test_an_odd_certificate_hides_none_beside_it(file: Path) -> None:
    file.write_bytes(of_version_4(certificate("Odd", timedelta(days=5))) + certificate("Ours", timedelta(days=5)))
    assert open_labels() == ["certificate of WEBHOOK_CA_FILE"]


def of_version_4(pem: bytes) -> bytes:
    """Which the library rejects with an error that is no `ValueError`."""
    content = ssl.PEM_cert_to_DER_cert(pem.decode()).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03", 1)
    odd = ssl.DER_cert_to_PEM_cert(content).encode()
    with pytest.raises(x509.InvalidVersion):
        x509.load_pem_x509_certificate(odd)
    return odd
